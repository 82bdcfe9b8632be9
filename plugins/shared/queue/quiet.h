// SPDX-License-Identifier: Apache-2.0
// Remembers for a moment that a claim found nothing: a host that asks lane by lane and thread by thread costs the
// store one look in two milliseconds, not one each.
//
// Threads: [any].  Owner: Claims.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <set>

#include "queue/work.h"

namespace belfry::queue_parts {

class Quiet {
public:
    using Clock = std::chrono::steady_clock;

    // `rings`: of the bell before the look; what this process made claimable since then ends the quiet.
    bool is_quiet(int32_t lane, const std::set<int64_t>& shelves, uint64_t rings, Clock::time_point now) const {
        const std::lock_guard lock(mutex_);
        const Look& look = looks_.at(static_cast<size_t>(lane));
        return look.rings == rings && now < look.until && look.shelves == shelves;
    }
    void found_nothing(int32_t lane, const std::set<int64_t>& shelves, uint64_t rings, Clock::time_point now) {
        const std::lock_guard lock(mutex_);
        looks_.at(static_cast<size_t>(lane)) = {shelves, rings, now + kFor};
    }

private:
    static constexpr std::chrono::milliseconds kFor{2};
    struct Look {
        std::set<int64_t> shelves;
        uint64_t rings = 0;
        Clock::time_point until{};
    };
    mutable std::mutex mutex_;
    std::array<Look, kLanes> looks_;
};

}  // namespace belfry::queue_parts
