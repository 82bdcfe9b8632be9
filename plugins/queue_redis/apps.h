// SPDX-License-Identifier: Apache-2.0
// Apps by name and by number: rows carry the number.
//
// Threads: [any].  Owner: Core.  Memory: one entry per app, which are few.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "queue_redis/keys.h"
#include "redis/connection.h"

namespace belfry::queue_redis {

class Apps {
public:
    // `opened`: changes with each connection. What was known before may not be so any more: the server may have
    // forgotten a number, and given it to another app.
    Apps(const Keys& keys, std::function<uint64_t()> opened) : keys_(keys), opened_(std::move(opened)) {}
    // 0: no push of it was ever stored.
    uint32_t find(redis::Connection& connection, std::string_view name, redis::Deadline deadline);
    uint32_t make(redis::Connection& connection, std::string_view name, redis::Deadline deadline);
    std::string name(redis::Connection& connection, uint32_t number, redis::Deadline deadline);

private:
    // What was asked for since `opened`.
    void remember(uint32_t number, std::string_view name, uint64_t opened);
    // With the mutex held.
    void forget_if_new(uint64_t opened);

    const Keys& keys_;
    const std::function<uint64_t()> opened_;
    std::mutex mutex_;
    uint64_t known_since_ = 0;
    std::map<std::string, uint32_t, std::less<>> numbers_;
    std::map<uint32_t, std::string> names_;
};

}  // namespace belfry::queue_redis
