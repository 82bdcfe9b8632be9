// SPDX-License-Identifier: Apache-2.0
// Deletes what nobody asks for any more: results after their days, dead letters after theirs, short memories, and all
// that belongs to an app.
//
// Threads: [any].  Owner: RedisQueue.
#pragma once

#include <cstdint>
#include <string_view>

#include "queue_redis/turn.h"

namespace belfry::queue_redis {

class Purge {
public:
    explicit Purge(Core& core) : core_(core) {}

    // True: there is more.
    bool step(int64_t now);
    bool app(std::string_view name, uint32_t limit);

private:
    bool results(redis::Connection& connection, int64_t before, redis::Deadline deadline);
    bool bundles(redis::Connection& connection, int64_t before, redis::Deadline deadline);
    bool dead(redis::Connection& connection, int64_t before, redis::Deadline deadline);
    bool changes(redis::Connection& connection, int64_t before, redis::Deadline deadline);
    void erase_pushes(redis::Connection& connection, const Ids& ids, bool tell, redis::Deadline deadline);
    void free_bodies(redis::Connection& connection, const Ids& pushes, redis::Deadline deadline);
    bool members_of(redis::Connection& connection, uint32_t app, redis::Deadline deadline);

    Core& core_;
};

}  // namespace belfry::queue_redis
