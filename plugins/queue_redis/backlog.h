// SPDX-License-Identifier: Apache-2.0
// How much more may be stored: the configured bound of unfinished pushes, and the server's memory. A Redis that is full
// refuses everything, progress included, so new pushes are refused while there is still room to send those that came.
//
// Threads: [any].  Owner: RedisQueue.
#pragma once

#include <cstdint>
#include <mutex>

#include "queue_redis/core.h"

namespace belfry::queue_redis {

class Backlog {
public:
    explicit Backlog(Core& core) : core_(core) {}

    // How many more may come, at most `wanted`; `open`: unfinished pushes now.
    uint64_t room(redis::Connection& connection, uint64_t open, uint64_t wanted, redis::Deadline deadline);

private:
    bool memory_is_full(redis::Connection& connection, redis::Deadline deadline);

    Core& core_;
    std::mutex mutex_;
    bool is_full_ = false;
    redis::Deadline look_again_{}, warn_again_{};
};

}  // namespace belfry::queue_redis
