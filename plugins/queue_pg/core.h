// SPDX-License-Identifier: Apache-2.0
// What all parts of an open queue share: the way to the database, and the little that is kept in memory.
//
// Threads: [any].  Owner: PgQueue.  Not here: behaviour, which is in the parts (intake, claims, pages, steering ...).
#pragma once

#include <atomic>
#include <belfry/services.hpp>

#include "pg/pool.h"
#include "queue/bell.h"
#include "queue/held.h"
#include "queue/shares.h"
#include "queue_pg/apps.h"
#include "queue_pg/config.h"
#include "queue_pg/lanes.h"

namespace belfry::queue_pg {

// Calls are a few round trips: long enough for a database that restarts, short enough for a caller who waits.
inline constexpr std::chrono::seconds kCallTime{10};

inline constexpr uint32_t kSignConnections = 1;
inline constexpr uint32_t kClaimConnections = 2;
inline constexpr uint32_t kReadConnections = 2;

inline pg::Deadline call_deadline() {
    return pg::Clock::now() + kCallTime;
}

struct Core {
    // Throws what a first connection throws. `progress` and `durable` differ in what a commit waits for.
    Core(Services host, Config configuration, const pg::Address& place)
        : services(host),
          config(std::move(configuration)),
          signs(with(place, false), kSignConnections),
          claims(with(place, config.strict), kClaimConnections),
          progress(with(place, config.strict), config.connections),
          reads(with(place, false), kReadConnections),
          durable(with(place, true), config.write_connections) {}

    const Services services;
    const Config config;
    // By what must not wait for what: a sign of life for nobody, claims and pages not for those who only look.
    pg::Pool signs, claims, progress, reads, durable;
    Apps apps;
    queue_parts::Held held;
    Lanes lanes;
    queue_parts::Shares shares;
    queue_parts::Bell bell;
    // Below it upkeep need not look for work that became due; what lies there are rows that vacuum has not taken yet.
    std::atomic<int64_t> later_floor{0};

private:
    static pg::Address with(pg::Address address, bool is_durable) {
        address.is_durable = is_durable;
        return address;
    }
};

}  // namespace belfry::queue_pg
