// SPDX-License-Identifier: Apache-2.0
// Who gets the next page slot: lanes share slots by weight, and some slots are closed to the lower ones.
// Threads: one (the scheduler's). Not here: fairness between pushes of one lane, which is the queue's virtual time.
#pragma once

#include <array>
#include <cstdint>

namespace belfry::policy {

constexpr uint32_t kLanes = 3;  // high, normal, low; in this order
constexpr std::array<uint32_t, kLanes> kLaneWeights{8, 4, 1};

// Start-time fair queueing over the lanes: a lane that had nothing saves no credit.
class LaneShares {
public:
    // Lane indices, the one whose turn it is first.
    std::array<uint32_t, kLanes> order() const noexcept;
    void took(uint32_t lane, uint32_t pages) noexcept;
    void idle(uint32_t lane) noexcept;

private:
    std::array<uint64_t, kLanes> virtual_time_{};
    uint64_t now_ = 0;
};

// How many of `slots` page slots a lane may hold while the lanes hold `held`. A tenth is for `high` alone, a fifth
// never for `low`.
uint32_t free_slots(uint32_t lane, uint32_t slots, const std::array<uint32_t, kLanes>& held) noexcept;

}  // namespace belfry::policy
