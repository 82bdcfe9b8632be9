// SPDX-License-Identifier: Apache-2.0
// Spreads deliveries of one provider instance evenly: a GCRA bucket with pauses and a ramp after them.
// Threads: [any], lock-free; loops ask it before each request.
#pragma once

#include <atomic>
#include <cstdint>

namespace belfry::http {

class Pacer {
public:
    // per_minute 0 = no limit. burst_ms: how many milliseconds' worth may go out at once.
    explicit Pacer(uint64_t per_minute, uint32_t burst_ms = 50);

    // 0: go ahead, `deliveries` are charged: a request for more than the bucket holds goes, too, once nothing is owed,
    // and those after it wait for it. Otherwise nanoseconds until it is worth asking again. `high` may use the last
    // tenth of the bucket that others leave.
    int64_t try_take(int64_t now_mono_ns, bool high, uint32_t deliveries = 1) noexcept;
    // Nothing goes out before `until`; after it the rate climbs from a tenth to full over `ramp_ns`.
    void pause_until(int64_t until_mono_ns, int64_t ramp_ns) noexcept;
    void resume() noexcept;
    bool paused(int64_t now_mono_ns) const noexcept {
        return now_mono_ns < paused_until_.load(std::memory_order_relaxed);
    }
    void set_rate(uint64_t per_minute) noexcept;
    uint64_t per_minute() const noexcept { return per_minute_.load(std::memory_order_relaxed); }

private:
    int64_t interval_ns(int64_t now) const noexcept;
    const uint32_t burst_ms_;
    std::atomic<uint64_t> per_minute_;
    std::atomic<int64_t> next_free_{0};  // GCRA's theoretical arrival time
    std::atomic<int64_t> paused_until_{0};
    std::atomic<int64_t> ramp_ns_{0};
};

}  // namespace belfry::http
