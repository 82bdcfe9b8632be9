// SPDX-License-Identifier: Apache-2.0
// Pushes that were cancelled, paused or expired lately: asked before sending, so that a page in flight stops within 200
// ms. A claim that comes later is flagged by the queue itself, so old entries may be forgotten.
//
// Threads: [any]. Owner: the delivery core.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <deque>
#include <mutex>
#include <unordered_map>

#include "audience/hashes.h"
#include "base/clock.h"

namespace belfry::delivery {

constexpr size_t kStoppedPushesMax = 65'536;
constexpr int64_t kStoppedKeptMs = 120'000;  // longer than any page; a uid may come back after its window

class StoppedPushes {
public:
    explicit StoppedPushes(const Clock& clock) : clock_(clock) {}

    // `push`: hash_of({app, uid}). `state`: belfry_push_state; anything that runs forgets it.
    void set(const audience::Hash16& push, int32_t state);
    // belfry_push_state, 0 = not stopped as far as is known.
    int32_t state(const audience::Hash16& push) const;
    // Grows with every change: nothing needs to be asked while it stands still.
    uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }

private:
    struct Hasher {
        size_t operator()(const audience::Hash16& hash) const noexcept {
            size_t value = 0;
            std::memcpy(&value, hash.data(), sizeof value);
            return value;
        }
    };
    struct Stopped {
        int32_t state = 0;
        int64_t since_mono_ns = 0;
    };
    const Clock& clock_;
    mutable std::mutex mutex_;
    std::unordered_map<audience::Hash16, Stopped, Hasher> states_;
    std::deque<audience::Hash16> order_;
    std::atomic<size_t> size_{0};
    std::atomic<uint64_t> version_{0};
};

}  // namespace belfry::delivery
