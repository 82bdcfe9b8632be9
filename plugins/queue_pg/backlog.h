// SPDX-License-Identifier: Apache-2.0
// How many pushes are not final, for the bound at which enqueue says no. Counted exactly near the bound only: counting
// takes time in proportion.
//
// Threads: [any].  Owner: PgQueue.
#pragma once

#include <cstdint>
#include <mutex>

#include "pg/connection.h"

namespace belfry::queue_pg {

class Backlog {
public:
    explicit Backlog(uint64_t most) : most_(most) {}

    // How many more may come, at most `wanted`.
    uint64_t room(pg::Connection& connection, uint64_t wanted, pg::Deadline deadline);

private:
    const uint64_t most_;
    std::mutex mutex_;
    uint64_t counted_ = 0, added_ = 0;  // at the last count, and here since then
    pg::Deadline counted_at_{};
};

}  // namespace belfry::queue_pg
