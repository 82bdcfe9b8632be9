// SPDX-License-Identifier: Apache-2.0
// A clock that stands still until it is moved, and whose wall time can be set as an administrator sets it.
// Threads: [any], but tests move it from one.
#pragma once

#include <atomic>

#include "base/clock.h"

namespace belfry::fakes {

class SettableClock final : public Clock {
public:
    int64_t mono_ns() const noexcept override { return running_.mono_ns(); }
    int64_t unix_ms() const noexcept override { return running_.unix_ms() + ahead_ms_; }
    void advance(std::chrono::nanoseconds by) noexcept { running_.advance(by); }
    // Time passes for the wall clock alone.
    void set_ahead(std::chrono::milliseconds by) noexcept { ahead_ms_ += by.count(); }

private:
    ManualClock running_;
    std::atomic<int64_t> ahead_ms_{0};
};

}  // namespace belfry::fakes
