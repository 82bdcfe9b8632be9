// SPDX-License-Identifier: Apache-2.0
#include "policy/lanes.h"

#include <algorithm>

namespace belfry::policy {

namespace {

constexpr uint64_t kStep = 8 * 4 * 1;  // a page of weight 1; divisible by every weight

}  // namespace

std::array<uint32_t, kLanes> LaneShares::order() const noexcept {
    std::array<uint32_t, kLanes> lanes{0, 1, 2};
    std::stable_sort(lanes.begin(), lanes.end(),
                     [&](uint32_t a, uint32_t b) { return virtual_time_[a] < virtual_time_[b]; });
    return lanes;
}

void LaneShares::took(uint32_t lane, uint32_t pages) noexcept {
    virtual_time_[lane] = std::max(virtual_time_[lane], now_);
    now_ = virtual_time_[lane];
    virtual_time_[lane] += pages * kStep / kLaneWeights[lane];
}

void LaneShares::idle(uint32_t lane) noexcept {
    virtual_time_[lane] = std::max(virtual_time_[lane], now_);
}

uint32_t free_slots(uint32_t lane, uint32_t slots, const std::array<uint32_t, kLanes>& held) noexcept {
    const uint32_t all = held[0] + held[1] + held[2];
    const uint32_t lower = held[1] + held[2];
    const uint32_t reserved_high = std::max(1u, slots / 10);
    const uint32_t lower_max = slots > reserved_high ? slots - reserved_high : 1;
    const uint32_t low_max = std::min(std::max(1u, slots * 8 / 10), lower_max);
    uint32_t room = all < slots ? slots - all : 0;
    if (lane >= 1) room = std::min(room, lower < lower_max ? lower_max - lower : 0);
    if (lane == 2) room = std::min(room, held[2] < low_max ? low_max - held[2] : 0);
    return room;
}

}  // namespace belfry::policy
