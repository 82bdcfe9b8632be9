// SPDX-License-Identifier: Apache-2.0
#include "delivery/progress.h"

#include "base/clock.h"

namespace belfry::delivery {

uint64_t Progress::passed(const audience::Hash16& push, uint32_t matched, int64_t range, int64_t now_mono_ns) {
    const std::lock_guard lock(mutex_);
    const auto [at, fresh] = seen_.try_emplace(push);
    if (fresh) {
        at->second.since_mono_ns = now_mono_ns;
        order_.push_back(push);
        if (order_.size() > kProgressPushesMax) {
            seen_.erase(order_.front());
            order_.pop_front();
        }
    }
    at->second.matched += matched;
    at->second.range += static_cast<double>(range);
    return at->second.matched;
}

std::optional<int64_t> Progress::eta_ms(const audience::Hash16& push, int64_t range_left, int64_t now_mono_ns) const {
    const std::lock_guard lock(mutex_);
    const auto found = seen_.find(push);
    if (found == seen_.end() || found->second.range <= 0) return std::nullopt;
    const auto elapsed_ms =
        static_cast<double>(now_mono_ns - found->second.since_mono_ns) / static_cast<double>(kNsPerMs);
    if (elapsed_ms <= 0) return std::nullopt;
    constexpr double kMostMs = 30.0 * 24 * 3600 * 1000;
    return static_cast<int64_t>(std::min(kMostMs, static_cast<double>(range_left) * elapsed_ms / found->second.range));
}

}  // namespace belfry::delivery
