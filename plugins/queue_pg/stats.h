// SPDX-License-Identifier: Apache-2.0
// stats: how much there is of what. Exact while there is little of it; what takes long to count is counted by upkeep
// and may be some seconds old.
//
// Threads: [any].  Owner: PgQueue.
#pragma once

#include <belfry/queue.h>

#include <mutex>

#include "queue_pg/core.h"

namespace belfry::queue_pg {

class Stats {
public:
    explicit Stats(Core& core) : core_(core) {}

    void read(belfry_queue_stats& stats);
    // Counts what read() does not.
    void refresh();

private:
    struct Long {
        int64_t delayed = 0, dead = 0, running_pushes = 0, delayed_pushes = 0, bytes = 0;
    };
    static Long counted(const pg::Result& rows);
    bool is_sized();

    Core& core_;
    std::mutex mutex_;
    Long counted_;
};

}  // namespace belfry::queue_pg
