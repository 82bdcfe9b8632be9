// SPDX-License-Identifier: Apache-2.0
// This process as the queue knows it: a random number that is made anew at every start, and when it was taken for dead;
// and since when nobody may have taken its place.
// Threads: [any].
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <random>

#include "base/clock.h"

namespace belfry::delivery {

class Node {
public:
    Node() { renew(); }
    uint64_t id() const noexcept { return id_.load(std::memory_order_relaxed); }
    void renew() {
        std::random_device random;
        const uint64_t high = random();
        id_.store((high << 32 | random()) >> 1 | 1, std::memory_order_relaxed);
    }

    // The stores were this process's to work on at `mono_ns`, when the question was asked.
    void confirm(int64_t mono_ns) {
        {
            const std::lock_guard hold(mutex_);
            confirmed_mono_ns_ = mono_ns;
            waited_in_vain_ = false;
        }
        confirmed_.notify_all();
    }
    // Whether that is less than `age_ns` ago; a process that stood still waits `at_most` for the answer to be true,
    // once until it is again.
    bool is_confirmed(const Clock& clock, int64_t age_ns, std::chrono::nanoseconds at_most) {
        std::unique_lock hold(mutex_);
        const auto fresh = [&] { return clock.mono_ns() - confirmed_mono_ns_ < age_ns; };
        if (waited_in_vain_) return fresh();
        waited_in_vain_ = !confirmed_.wait_for(hold, at_most, [&] { return ended_ || fresh(); }) || !fresh();
        return !waited_in_vain_;
    }
    // Nobody waits for a sign of life any more.
    void end_waiting() {
        {
            const std::lock_guard hold(mutex_);
            ended_ = true;
        }
        confirmed_.notify_all();
    }

private:
    std::atomic<uint64_t> id_{0};
    std::mutex mutex_;
    std::condition_variable confirmed_;
    int64_t confirmed_mono_ns_ = 0;
    bool waited_in_vain_ = false, ended_ = false;
};

}  // namespace belfry::delivery
