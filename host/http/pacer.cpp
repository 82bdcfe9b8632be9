// SPDX-License-Identifier: Apache-2.0
// GCRA: `next_free_` is when a bucket of zero size would allow the next request. A request may go if that is at most
// the bucket's depth in the future after it was charged; lane `high` may go one tenth deeper than the others. One that
// costs more than the bucket holds goes when nothing before it is owed any more, and gets no burst on top.
#include "http/pacer.h"

#include <algorithm>

namespace belfry::http {

namespace {

constexpr int64_t kMinuteNs = 60'000'000'000;
constexpr int64_t kRampStart = 10;            // the ramp begins with a tenth of the rate
constexpr int64_t kRetryPauseNs = 1'000'000;  // the least that is worth waiting for

}  // namespace

Pacer::Pacer(uint64_t per_minute, uint32_t burst_ms) : burst_ms_(std::max(burst_ms, 1u)), per_minute_(per_minute) {}

int64_t Pacer::interval_ns(int64_t now) const noexcept {
    const uint64_t per_minute = per_minute_.load(std::memory_order_relaxed);
    if (per_minute == 0) return 0;
    const int64_t full = std::max<int64_t>(1, kMinuteNs / static_cast<int64_t>(per_minute));
    const int64_t ramp = ramp_ns_.load(std::memory_order_relaxed);
    const int64_t since = now - paused_until_.load(std::memory_order_relaxed);
    if (ramp <= 0 || since >= ramp) return full;
    // rate = full * (1/10 + 9/10 * since / ramp)
    const double part =
        1.0 / kRampStart + (1.0 - 1.0 / kRampStart) * static_cast<double>(since) / static_cast<double>(ramp);
    return static_cast<int64_t>(static_cast<double>(full) / part);
}

int64_t Pacer::try_take(int64_t now_mono_ns, bool high, uint32_t deliveries) noexcept {
    const int64_t paused_until = paused_until_.load(std::memory_order_relaxed);
    if (now_mono_ns < paused_until) return paused_until - now_mono_ns;
    const int64_t interval = interval_ns(now_mono_ns);
    if (interval == 0) return 0;
    const int64_t cost = interval * deliveries;
    const int64_t depth = static_cast<int64_t>(burst_ms_) * 1'000'000;
    const int64_t allowed = high ? depth : depth - depth / 10;
    int64_t next_free = next_free_.load(std::memory_order_relaxed);
    while (true) {
        const int64_t from = std::max(next_free, now_mono_ns);
        const int64_t wait = from + cost - now_mono_ns - std::max(allowed, cost);
        if (wait > 0) return std::max(wait, kRetryPauseNs);
        if (next_free_.compare_exchange_weak(next_free, from + cost, std::memory_order_relaxed)) return 0;
    }
}

void Pacer::pause_until(int64_t until_mono_ns, int64_t ramp_ns) noexcept {
    int64_t current = paused_until_.load(std::memory_order_relaxed);
    while (current < until_mono_ns &&
           !paused_until_.compare_exchange_weak(current, until_mono_ns, std::memory_order_relaxed)) {
    }
    ramp_ns_.store(ramp_ns, std::memory_order_relaxed);
}

void Pacer::resume() noexcept {
    ramp_ns_.store(0, std::memory_order_relaxed);
    paused_until_.store(0, std::memory_order_relaxed);
}

void Pacer::set_rate(uint64_t per_minute) noexcept {
    per_minute_.store(per_minute, std::memory_order_relaxed);
}

}  // namespace belfry::http
