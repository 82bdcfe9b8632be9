// SPDX-License-Identifier: Apache-2.0
// Time as an interface, so that tests own it. Threads: [any].
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace belfry {

class Clock {
public:
    virtual ~Clock() = default;
    virtual int64_t mono_ns() const noexcept = 0;  // CLOCK_MONOTONIC: deadlines, back-off
    virtual int64_t unix_ms() const noexcept = 0;  // wall clock: what people and stores see
};

class SystemClock final : public Clock {
public:
    int64_t mono_ns() const noexcept override {
        return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
            .count();
    }
    int64_t unix_ms() const noexcept override {
        return std::chrono::duration_cast<std::chrono::milliseconds>(
                   std::chrono::system_clock::now().time_since_epoch())
            .count();
    }
};

// Stands still until it is moved. Threads: [any], but tests move it from one.
class ManualClock final : public Clock {
public:
    int64_t mono_ns() const noexcept override { return mono_ns_; }
    int64_t unix_ms() const noexcept override { return unix_ms_; }
    void advance(std::chrono::nanoseconds by) noexcept {
        mono_ns_ += by.count();
        unix_ms_ += std::chrono::duration_cast<std::chrono::milliseconds>(by).count();
    }

private:
    std::atomic<int64_t> mono_ns_{1'000'000'000};
    std::atomic<int64_t> unix_ms_{1'700'000'000'000};
};

inline constexpr int64_t kNsPerMs = 1'000'000;
inline constexpr int64_t kNsPerSecond = 1'000'000'000;

}  // namespace belfry
