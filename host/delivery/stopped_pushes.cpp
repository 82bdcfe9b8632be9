// SPDX-License-Identifier: Apache-2.0
#include "delivery/stopped_pushes.h"

#include <belfry/queue.h>

#include <algorithm>

namespace belfry::delivery {

void StoppedPushes::set(const audience::Hash16& push, int32_t state) {
    const bool stopped = state == BELFRY_PUSH_CANCELLED || state == BELFRY_PUSH_EXPIRED || state == BELFRY_PUSH_PAUSED;
    const std::lock_guard lock(mutex_);
    if (!stopped) {
        if (states_.erase(push) > 0) order_.erase(std::find(order_.begin(), order_.end(), push));
    } else if (const auto [at, fresh] = states_.insert_or_assign(push, Stopped{state, clock_.mono_ns()}); fresh) {
        order_.push_back(push);
    }
    while (order_.size() > kStoppedPushesMax) {
        states_.erase(order_.front());
        order_.pop_front();
    }
    size_.store(states_.size(), std::memory_order_relaxed);
    version_.fetch_add(1, std::memory_order_release);
}

int32_t StoppedPushes::state(const audience::Hash16& push) const {
    if (size_.load(std::memory_order_relaxed) == 0) return 0;
    const std::lock_guard lock(mutex_);
    const auto found = states_.find(push);
    if (found == states_.end()) return 0;
    const bool old = clock_.mono_ns() - found->second.since_mono_ns > kStoppedKeptMs * kNsPerMs;
    return old ? 0 : found->second.state;
}

}  // namespace belfry::delivery
