// SPDX-License-Identifier: Apache-2.0
// Who has given no sign of life for a lease: counted by the observer's own monotonic clock, from the moment it saw the
// latest sign. A step of the server's clock, a node that just came and a server that was away for everybody end no
// lease: time in which the observer could not look counts for nobody.
//
// Threads: [any].  Owner: Nodes.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

namespace belfry::queue_parts {

class Silence {
public:
    using Signs = std::map<int64_t, int64_t>;  // by node: what changes with each sign of life

    explicit Silence(int64_t lease_ms) : lease_ns_(lease_ms * 1'000'000) {}

    // A look at the latest signs; answers those that did not change for a lease.
    Signs look(const Signs& signs, int64_t mono_ns) {
        const std::lock_guard lock(mutex_);
        const bool was_blind = looked_ns_ == kNever || mono_ns - looked_ns_ > lease_ns_ / 2;
        looked_ns_ = mono_ns;
        std::map<int64_t, Watched> now;
        Signs silent;
        for (const auto& [node, sign] : signs) {
            const auto known = watched_.find(node);
            const bool is_new = was_blind || known == watched_.end() || known->second.sign != sign;
            const int64_t since = is_new ? mono_ns : known->second.since_ns;
            if (mono_ns - since > lease_ns_) silent.emplace(node, sign);
            now.emplace(node, Watched{sign, since});
        }
        watched_ = std::move(now);
        return silent;
    }

private:
    struct Watched {
        int64_t sign = 0;
        int64_t since_ns = 0;  // when we first saw it
    };
    static constexpr int64_t kNever = INT64_MIN;

    const int64_t lease_ns_;
    std::mutex mutex_;
    int64_t looked_ns_ = kNever;
    std::map<int64_t, Watched> watched_;
};

}  // namespace belfry::queue_parts
