// SPDX-License-Identifier: Apache-2.0
// dead and replay: work that was given up, kept with its reason.
//
// Threads: [any].  Owner: RedisQueue.
#pragma once

#include <belfry/queue.h>

#include <belfry/abi.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "queue_redis/turn.h"

namespace belfry::queue_redis {

struct DeadView {
    Letter letter;
    std::string uid;
};

class DeadLetters {
public:
    explicit DeadLetters(Core& core) : core_(core) {}

    // After an id; uid empty: of every push.
    std::vector<DeadView> list(std::string_view app, std::string_view uid, uint64_t after, uint32_t limit);
    uint32_t replay(std::string_view app, Rows<uint64_t> ids, bool ignore_expiry);

private:
    Core& core_;
};

}  // namespace belfry::queue_redis
