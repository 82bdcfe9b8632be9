// SPDX-License-Identifier: Apache-2.0
// Sequences of device keys: taken from the database in blocks, handed out here.
//
// Threads: [any].  Owner: Store.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "pg/connection.h"

namespace belfry::storage_pg {

class Sequence {
public:
    // Throws Refused: STORE_FULL when all are used up.
    int64_t next(pg::Connection& connection, pg::Deadline deadline);
    // A key that came back from before a restore: the sequence moves beyond it, so that it is not given twice.
    void move_beyond(pg::Connection& connection, int64_t sequence, pg::Deadline deadline);
    // Of a store that everything comes from: what it minted before `next` is not minted here.
    void begin_at(pg::Connection& connection, int64_t next, pg::Deadline deadline);

private:
    void pass(pg::Connection& connection, int64_t block, pg::Deadline deadline);
    void look_at(const pg::Connection& connection);

    std::mutex mutex_;
    std::string history_;  // of the server that the block is from
    int64_t next_ = 0, end_ = 0;
    int64_t moved_beyond_ = -1;  // the block that the database's sequence is known to have left behind
};

}  // namespace belfry::storage_pg
