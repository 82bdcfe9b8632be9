// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/backlog.h"

#include <algorithm>

#include "queue_redis/info.h"

namespace belfry::queue_redis {

namespace {

constexpr int64_t kFullPercent = 80;
constexpr std::chrono::seconds kLookEvery{1};
constexpr std::chrono::seconds kWarnEvery{60};

}  // namespace

uint64_t Backlog::room(redis::Connection& connection, uint64_t open, uint64_t wanted, redis::Deadline deadline) {
    if (memory_is_full(connection, deadline)) return 0;
    const uint64_t most = core_.config.backlog_max;
    return open < most ? std::min(wanted, most - open) : 0;
}

bool Backlog::memory_is_full(redis::Connection& connection, redis::Deadline deadline) {
    const redis::Deadline now = redis::Clock::now();
    {
        const std::lock_guard lock(mutex_);
        if (now < look_again_) return is_full_;
        look_again_ = now + kLookEvery;
    }
    const redis::Reply reply = connection.run({"INFO", "memory"}, deadline);
    const int64_t used = info_number(reply.text(), "used_memory");
    const int64_t most = info_number(reply.text(), "maxmemory");
    const std::lock_guard lock(mutex_);
    is_full_ = most > 0 && used >= most / 100 * kFullPercent;
    if (is_full_ && now >= warn_again_) {
        warn_again_ = now + kWarnEvery;
        core_.services.warning(
            "Redis has used four fifths of its maxmemory, new pushes are refused; raise maxmemory, or let the queue "
            "drain",
            {{"used_memory", std::to_string(used)}, {"maxmemory", std::to_string(most)}});
    }
    return is_full_;
}

}  // namespace belfry::queue_redis
