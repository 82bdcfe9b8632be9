// SPDX-License-Identifier: Apache-2.0
// lookup and list: pushes as their result rows show them, packed ones alike.
//
// Threads: [any].  Owner: RedisQueue.
#pragma once

#include <belfry/queue.h>

#include <belfry/abi.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "queue/views.h"
#include "queue_redis/core.h"
#include "queue_redis/rows.h"

namespace belfry::queue_redis {

class Results {
public:
    explicit Results(Core& core) : core_(core) {}

    std::vector<PushView> lookup(std::string_view app, Rows<belfry_str> uids);
    // Answers the cursor of the next page.
    std::string list(std::string_view app, int32_t state, std::string_view cursor, uint32_t limit,
                     std::vector<PushView>& views);

private:
    // Rows with everything shown of them; what is gone is left out.
    std::vector<PushView> views_of(redis::Connection& connection, const std::vector<Push>& pushes,
                                   redis::Deadline deadline);
    struct Found {
        std::vector<Push> pushes;
        int64_t looked_to = 0;  // 0: there are no more
    };
    Found pushes_below(redis::Connection& connection, uint32_t app, int32_t state, int64_t below, size_t want,
                       redis::Deadline deadline);

    Core& core_;
};

// Of the answers to HGETALL of a push's counters, and LRANGE of its samples.
Counters read_counters(const redis::Value& fields);
Counters read_counters(const redis::Value& fields, const redis::Value& samples);

}  // namespace belfry::queue_redis
