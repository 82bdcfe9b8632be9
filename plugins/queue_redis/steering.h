// SPDX-License-Identifier: Apache-2.0
// steer: cancel, pause, resume by uid, durably, in one transaction with the feed of changes.
//
// Threads: [any].  Owner: RedisQueue.
#pragma once

#include <belfry/queue.h>

#include <belfry/abi.hpp>
#include <map>
#include <string_view>
#include <vector>

#include "queue_redis/turn.h"

namespace belfry::queue_redis {

class Steering {
public:
    explicit Steering(Core& core) : core_(core) {}

    std::vector<belfry_steered> steer(std::string_view app, Rows<belfry_str> uids, int32_t verb);

private:
    Core& core_;
};

}  // namespace belfry::queue_redis
