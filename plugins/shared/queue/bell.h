// SPDX-License-Identifier: Apache-2.0
// Wakes claims that wait in this process when something became claimable through it. Other processes' work is found by
// asking again.
//
// Threads: [any].  Owner: Core.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace belfry::queue_parts {

class Bell {
public:
    uint64_t rings() const {
        const std::lock_guard lock(mutex_);
        return rings_;
    }
    void ring() {
        {
            const std::lock_guard lock(mutex_);
            ++rings_;
        }
        rung_.notify_all();
    }
    // Until it rang after `seen`, or for so long.
    void wait(uint64_t seen, std::chrono::milliseconds most) {
        std::unique_lock lock(mutex_);
        rung_.wait_for(lock, most, [&] { return rings_ != seen; });
    }

private:
    mutable std::mutex mutex_;
    std::condition_variable rung_;
    uint64_t rings_ = 0;
};

}  // namespace belfry::queue_parts
