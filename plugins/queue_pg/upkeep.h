// SPDX-License-Identifier: Apache-2.0
// What happens without anybody asking: due work becomes claimable, pushes expire, what dead nodes held comes back,
// counters are added up, what crashes left half done is finished, what is too old is deleted. In small transactions;
// any node may do any of it at any time.
//
// Threads: [work], one call at a time per node.  Owner: PgQueue.
#pragma once

#include <cstdint>
#include <vector>

#include "queue_pg/limiter.h"
#include "queue_pg/nodes.h"
#include "queue_pg/purge.h"
#include "queue_pg/stats.h"

namespace belfry::queue_pg {

class Upkeep {
public:
    Upkeep(Core& core, Nodes& nodes, Purge& purge, Stats& stats, RateLimits& rate_limits)
        : core_(core), nodes_(nodes), purge_(purge), stats_(stats), rate_limits_(rate_limits) {}

    // Milliseconds until the next call; 0: there is more to do now.
    uint32_t run(uint64_t node, uint32_t budget_ms);

private:
    struct Later;
    struct Times {
        int64_t now = 0;
        int64_t next_due = -1;  // -1: none; 0: of a stopped push
    };
    Times look();
    // Once a second at most, by the database's clock.
    bool is_time(int64_t now, int64_t every_ms, int64_t& last);
    bool expire(int64_t now);
    bool move_due(int64_t now);
    static std::vector<Later> read_laters(const pg::Result& rows);
    // Lists of one push and attempt are merged.
    void move(Turn& turn, std::vector<Later> laters);
    void move_group(Turn& turn, const std::vector<Later>& group);
    void sweep();
    void close_stale();
    bool fold();
    void count_shares();

    Core& core_;
    Nodes& nodes_;
    Purge& purge_;
    Stats& stats_;
    RateLimits& rate_limits_;
    int64_t swept_ = 0, shared_ = 0, counted_ = 0, purged_ = 0;  // when, by the database's clock
    int64_t folded_to_ = 0;                                      // highest number of a counter added up
    uint32_t folds_ = 0;
    int64_t looked_to_ = 0;  // running pushes looked at by close_stale
};

}  // namespace belfry::queue_pg
