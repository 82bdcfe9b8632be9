// SPDX-License-Identifier: Apache-2.0
// What all parts of an open queue share: the way to the server, and the little that is kept in memory.
//
// Threads: [any].  Owner: RedisQueue.  Not here: behaviour, which is in the parts (intake, claims, pages, steering
// ...).
#pragma once

#include <atomic>
#include <belfry/services.hpp>
#include <string>

#include "queue/bell.h"
#include "queue/held.h"
#include "queue/shares.h"
#include "queue_redis/apps.h"
#include "queue_redis/config.h"
#include "queue_redis/keys.h"
#include "queue_redis/server_watch.h"
#include "redis/pool.h"

namespace belfry::queue_redis {

// Calls are a few round trips: long enough for a server that restarts, short enough for a caller who waits.
inline constexpr std::chrono::seconds kCallTime{10};

inline redis::Deadline call_deadline() {
    return redis::Clock::now() + kCallTime;
}

// The text of the function belfry_now that stands before scripts.
std::string server_clock();

struct Scripts {
    explicit Scripts(const std::string& clock);
    std::vector<redis::Script> all() const { return {now, open, beat, claim, commit, store, limit}; }

    // `store` is a commit that a server without free memory refuses: for what is new.
    const redis::Script now, open, beat, claim, commit, store, limit;
};

inline constexpr uint32_t kSignConnections = 1;
inline constexpr uint32_t kReadConnections = 2;

struct Core {
    Core(Services host, Config configuration, const std::string& clock)
        : services(host),
          config(std::move(configuration)),
          keys(config.key_prefix),
          scripts(clock),
          route(config.route(host)),
          watch(host),
          pool(route, config.connections, scripts.all(), watch.check()),
          signs(route, kSignConnections, scripts.all(), watch.check()),
          reads(route, kReadConnections, scripts.all(), watch.check()),
          apps(keys, [this] { return pool.opened() + signs.opened() + reads.opened(); }) {}

    // So that another master is noticed though nothing fails with the old one.
    void follow_master();

    const Services services;
    const Config config;
    const Keys keys;
    const Scripts scripts;
    const std::shared_ptr<redis::Route> route;
    ServerWatch watch;
    // Signs of life wait for nobody, and those who look at results keep nobody waiting.
    redis::Pool pool, signs, reads;
    Apps apps;
    queue_parts::Held held;
    queue_parts::Shares shares;
    queue_parts::Bell bell;

private:
    std::atomic<bool> sentinels_silent_{false};  // said so
};

}  // namespace belfry::queue_redis
