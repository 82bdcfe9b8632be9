// SPDX-License-Identifier: Apache-2.0
// A bell for one sleeping thread: rings are remembered until it looks.
// Threads: ring [any], wait one thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace belfry::delivery {

class Wakeup {
public:
    void ring() {
        {
            const std::lock_guard lock(mutex_);
            rung_ = true;
        }
        bell_.notify_one();
    }
    // True if it was rung; at most `wait` long.
    bool wait(std::chrono::nanoseconds wait) {
        std::unique_lock lock(mutex_);
        bell_.wait_for(lock, wait, [&] { return rung_; });
        const bool was = rung_;
        rung_ = false;
        return was;
    }

private:
    std::mutex mutex_;
    std::condition_variable bell_;
    bool rung_ = false;
};

}  // namespace belfry::delivery
