// SPDX-License-Identifier: Apache-2.0
// When the client's time is running. With pieces it runs only while the server waits, and begins anew with each piece.
// Threads: one at a time; the deadline is read by [any].
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace belfry::api {

// So much of a body in pieces must come within the time for a request, unless it ends before.
inline constexpr int64_t kPieceBytes = 4096;

class RequestClock {
public:
    RequestClock(std::atomic<int64_t>& deadline, std::chrono::nanoseconds time, const Clock& clock)
        : deadline_(deadline), time_ns_(time.count()), clock_(clock), left_ns_(time_ns_) {}
    void start() noexcept { set(clock_.mono_ns() + time_ns_); }
    void stop() noexcept { set(0); }
    void expect_pieces() noexcept {
        pieces_ = true;
        stop();
    }
    void wait() noexcept {
        if (pieces_) set((waiting_since_ = clock_.mono_ns()) + left_ns_);
    }
    void got(int64_t bytes) noexcept {
        if (!pieces_) return;
        stop();
        left_ns_ -= clock_.mono_ns() - waiting_since_;
        if ((piece_bytes_ += std::max<int64_t>(bytes, 0)) < kPieceBytes) return;
        piece_bytes_ = 0;
        left_ns_ = time_ns_;
    }

private:
    void set(int64_t deadline) noexcept { deadline_.store(deadline, std::memory_order_relaxed); }
    std::atomic<int64_t>& deadline_;
    const int64_t time_ns_;
    const Clock& clock_;
    int64_t left_ns_, waiting_since_ = 0, piece_bytes_ = 0;
    bool pieces_ = false;
};

}  // namespace belfry::api
