// SPDX-License-Identifier: Apache-2.0
// Deletes what nobody asks for any more: results after their days, dead letters after theirs, short memories, and all
// that belongs to an app.
//
// Threads: [any].  Owner: PgQueue.
#pragma once

#include <cstdint>
#include <string_view>

#include "queue_pg/turn.h"

namespace belfry::queue_pg {

class Purge {
public:
    explicit Purge(Core& core) : core_(core) {}

    // True: there is more.
    bool step(int64_t now);
    // Answers of checkpoints that nobody repeats any more. As many come in as pages are written. True: there is more.
    bool replies(int64_t now);
    bool app(std::string_view name, uint32_t limit);

private:
    bool results(pg::Connection& connection, int64_t before, pg::Deadline deadline);
    bool bundles(pg::Connection& connection, int64_t before, pg::Deadline deadline);
    bool dead(pg::Connection& connection, int64_t before, int64_t results_before, pg::Deadline deadline);
    void memories(pg::Connection& connection, int64_t now, pg::Deadline deadline);
    bool pushes_of(pg::Connection& connection, uint32_t app, int64_t limit, pg::Deadline deadline);
    bool members_of(pg::Connection& connection, uint32_t app, pg::Deadline deadline);

    // Where the walk over final pushes is, and when it began at the bottom.
    struct Walk {
        int64_t begun = 0, finished = 0, id = 0;
    };

    Core& core_;
    Walk walk_;                  // of upkeep, which runs once at a time
    int64_t replies_floor_ = 0;  // also
};

}  // namespace belfry::queue_pg
