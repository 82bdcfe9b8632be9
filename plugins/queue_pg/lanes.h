// SPDX-License-Identifier: Apache-2.0
// Virtual time of the lanes as this process knows it (beats spread it), and where claims need not look any more: an
// index entry of a claimed item stays in place until vacuum takes it, so walks begin at the floor, near the last claim.
//
// Threads: [any].  Owner: Core.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <mutex>

#include "queue/work.h"

namespace belfry::queue_pg {

class Lanes {
public:
    int64_t vt(int32_t lane) const {
        const std::lock_guard lock(mutex_);
        return vt_.at(static_cast<size_t>(lane));
    }
    void reach(int32_t lane, int64_t vt) {
        const std::lock_guard lock(mutex_);
        int64_t& now = vt_.at(static_cast<size_t>(lane));
        now = std::max(now, vt);
    }
    // Where a claim of a shelf begins; -1 (everything) every 64th time, for what was put back below the floor.
    int64_t floor(int32_t lane, int64_t shelf) {
        const std::lock_guard lock(mutex_);
        Floor& floor = floors_[{lane, shelf}];
        return ++floor.claims % kFullWalkEvery == 0 ? -1 : floor.vt;
    }
    void claimed(int32_t lane, int64_t shelf, int64_t vt) {
        const std::lock_guard lock(mutex_);
        floors_[{lane, shelf}].vt = vt - kSlack;
    }
    // A claim that found less than it wanted looks everywhere the next time.
    void forget_floors(int32_t lane) {
        const std::lock_guard lock(mutex_);
        for (auto& [key, floor] : floors_) {
            if (key.first == lane) floor.vt = -1;
        }
    }

private:
    struct Floor {
        int64_t vt = -1;
        uint32_t claims = 0;
    };
    static constexpr uint32_t kFullWalkEvery = 64;
    // Four times the largest usual step: 2,000 deliveries of a push with 64 slices.
    static constexpr int64_t kSlack = int64_t{4} * 2000 * 64 * 1000;

    mutable std::mutex mutex_;
    std::array<int64_t, queue_parts::kLanes> vt_{};
    std::map<std::pair<int32_t, int64_t>, Floor> floors_;  // by lane and shelf: as many as there are providers
};

}  // namespace belfry::queue_pg
