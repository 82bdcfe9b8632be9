// SPDX-License-Identifier: Apache-2.0
#include "nodes.h"

namespace belfry::queue_sqlite {

Nodes::Pulse Nodes::beat(uint64_t node, int64_t now_unix_ms, int64_t lease_ms) {
    const std::lock_guard lock(mutex_);
    if (fenced_.count(node) != 0) return {true, 0, 0};
    seen_[node] = now_unix_ms;
    Pulse pulse;
    pulse.live = 0;
    for (const auto& [other, seen] : seen_) {
        if (seen + lease_ms < now_unix_ms) continue;
        if (other < node) ++pulse.rank;
        ++pulse.live;
    }
    return pulse;
}

std::vector<uint64_t> Nodes::take_dead(uint64_t observer, int64_t now_unix_ms, int64_t lease_ms) {
    const std::lock_guard lock(mutex_);
    std::vector<uint64_t> dead;
    for (auto node = seen_.begin(); node != seen_.end();) {
        if (node->first != observer && node->second + lease_ms < now_unix_ms) {
            dead.push_back(node->first);
            fenced_.insert(node->first);
            if (fenced_.size() > kFencedMax) fenced_.erase(fenced_.begin());
            node = seen_.erase(node);
        } else {
            ++node;
        }
    }
    return dead;
}

}  // namespace belfry::queue_sqlite
