// SPDX-License-Identifier: Apache-2.0
// claim: one script takes the items with the lowest virtual time off the shelves of open gates; what they point to is
// read behind it.
//
// Threads: [any].  Owner: RedisQueue.
#pragma once

#include <belfry/queue.h>

#include <belfry/abi.hpp>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "queue/claimed_row.h"
#include "queue/quiet.h"
#include "queue_redis/turn.h"

namespace belfry::queue_redis {

// A claimed item with all that its row points to.
struct Grant {
    Item item;
    std::string content;
    Push push;  // of what is no bundle
    std::string app;
    std::vector<Mark> marks;
    int64_t now = 0;
    std::string damage;  // what is; empty: nothing

    // It outlives the row.
    ClaimedRow claimed() const;
};

class Claims {
public:
    explicit Claims(Core& core) : core_(core) {}

    // Waits up to wait_ms if there is nothing.
    std::vector<Grant> claim(uint64_t node, int32_t lane, Rows<uint32_t> open_gates, uint32_t n, uint32_t wait_ms);
    // Back on their shelves, as if they had never been claimed.
    void give_back(uint64_t node, const std::vector<Grant>& grants, size_t from);

private:
    std::vector<Grant> take(uint64_t node, int32_t lane, const std::set<int64_t>& shelves, uint32_t n);
    std::vector<Grant> read(redis::Connection& connection, const redis::Value& taken, redis::Deadline deadline);
    void put_back(redis::Connection& connection, uint64_t node, const std::vector<Grant>& grants,
                  redis::Deadline deadline);
    // What is damaged among them.
    void put_aside(redis::Connection& connection, uint64_t node, int32_t lane, std::vector<Grant>& grants,
                   redis::Deadline deadline);
    void park(std::vector<Grant>& grants, uint64_t node, redis::Deadline deadline);

    Core& core_;
    Quiet quiet_;
};

}  // namespace belfry::queue_redis
