// SPDX-License-Identifier: Apache-2.0
// belfry.limiter/1 on Redis: a script charges a portion of a page; buckets lie in hashes of some dozens, which expire
// as a whole (docs/design/0019-limiter.md).
//
// Threads: [any].  Owner: RedisQueue.
#pragma once

#include <belfry/limiter.h>

#include <vector>

#include "queue/gcra.h"
#include "queue_redis/core.h"

namespace belfry::queue_redis {

class RateLimits {
public:
    explicit RateLimits(Core& core) : core_(core) {}

    // Throws Refused: BAD_REQUEST, DEADLINE, or what the server says.
    std::vector<belfry_charged> charge(Rows<belfry_policy> policies, Rows<belfry_charge> charges,
                                       int64_t deadline_mono_ns);

private:
    Core& core_;
};

}  // namespace belfry::queue_redis
