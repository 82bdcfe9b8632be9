// SPDX-License-Identifier: Apache-2.0
// What happens without anybody asking: due work becomes claimable, pushes expire, what dead nodes held comes back, what
// crashes left half done is finished, what is too old is deleted. In small portions; any node may do any of it at any
// time.
//
// Threads: [work], one call at a time per node.  Owner: RedisQueue.
#pragma once

#include <cstdint>

#include "queue_redis/nodes.h"
#include "queue_redis/purge.h"

namespace belfry::queue_redis {

class Upkeep {
public:
    Upkeep(Core& core, Nodes& nodes, Purge& purge) : core_(core), nodes_(nodes), purge_(purge) {}

    // Milliseconds until the next call; 0: there is more to do now.
    uint32_t run(uint64_t node, uint32_t budget_ms);

private:
    struct Times {
        int64_t now = 0;
        int64_t next_due = 0;  // 0: none
    };
    Times look();
    // Once in so long, by the server's clock.
    static bool is_time(int64_t now, int64_t every_ms, int64_t& last);
    bool expire(int64_t now);
    // What a crash cut off between two transactions.
    void finish_others();
    using Finish = void (*)(Core&, redis::Connection&, int64_t, redis::Deadline);
    void finish_each(redis::Connection& connection, const char* set, const redis::Value& pushes, Finish finish,
                     redis::Deadline deadline);
    void count_shares();

    Core& core_;
    Nodes& nodes_;
    Purge& purge_;
    int64_t swept_ = 0, shared_ = 0, purged_ = 0;  // when, by the server's clock
};

}  // namespace belfry::queue_redis
