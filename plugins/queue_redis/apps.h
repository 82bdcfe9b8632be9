// SPDX-License-Identifier: Apache-2.0
// Apps by name and by number: rows carry the number.
//
// Threads: [any].  Owner: Core.  Memory: one entry per app, which are few.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "queue_redis/keys.h"
#include "redis/connection.h"

namespace belfry::queue_redis {

class Apps {
public:
    explicit Apps(const Keys& keys) : keys_(keys) {}
    // 0: no push of it was ever stored.
    uint32_t find(redis::Connection& connection, std::string_view name, redis::Deadline deadline);
    uint32_t make(redis::Connection& connection, std::string_view name, redis::Deadline deadline);
    std::string name(redis::Connection& connection, uint32_t number, redis::Deadline deadline);

private:
    void remember(uint32_t number, std::string_view name);

    const Keys& keys_;
    std::mutex mutex_;
    std::map<std::string, uint32_t, std::less<>> numbers_;
    std::map<uint32_t, std::string> names_;
};

}  // namespace belfry::queue_redis
