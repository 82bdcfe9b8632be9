// SPDX-License-Identifier: Apache-2.0
// belfry.limiter/1 on PostgreSQL: one transaction a page, which locks its buckets, and writes what they became
// (docs/design/0019-limiter.md).
//
// Threads: [any], but for forget(), which is upkeep's.  Owner: PgQueue.
#pragma once

#include <belfry/limiter.h>

#include <vector>

#include "queue/gcra.h"
#include "queue_pg/core.h"

namespace belfry::queue_pg {

class RateLimits {
public:
    explicit RateLimits(Core& core) : core_(core) {}

    // Throws Refused: BAD_REQUEST, DEADLINE, or what the database says.
    std::vector<belfry_charged> charge(Rows<belfry_policy> policies, Rows<belfry_charge> charges,
                                       int64_t deadline_mono_ns);

    // Deletes buckets that are full again among the next ones of all. True: most of them were.
    bool forget(int64_t now);

private:
    Core& core_;
    pg::Hash looked_to_{};
};

}  // namespace belfry::queue_pg
