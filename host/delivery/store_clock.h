// SPDX-License-Identifier: Apache-2.0
// The queue's wall clock as last heard with a heartbeat: only the store's clock decides what is due or expired.
// Threads: [any].
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace belfry::delivery {

class StoreClock {
public:
    explicit StoreClock(const Clock& clock) : clock_(clock) {}
    int64_t unix_ms() const noexcept { return clock_.unix_ms() + ahead_ms_.load(std::memory_order_relaxed); }
    int64_t mono_ns() const noexcept { return clock_.mono_ns(); }
    void heard(int64_t store_unix_ms) noexcept {
        ahead_ms_.store(store_unix_ms - clock_.unix_ms(), std::memory_order_relaxed);
    }
    const Clock& local() const noexcept { return clock_; }

private:
    const Clock& clock_;
    std::atomic<int64_t> ahead_ms_{0};
};

}  // namespace belfry::delivery
