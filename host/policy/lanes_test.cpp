// SPDX-License-Identifier: Apache-2.0
#include "policy/lanes.h"

#include <gtest/gtest.h>

namespace belfry::policy {
namespace {

TEST(LaneShares, BusyLanesShareEightToFourToOne) {
    LaneShares shares;
    std::array<int, kLanes> pages{};
    for (int i = 0; i < 1'300; ++i) {
        const uint32_t lane = shares.order()[0];
        ++pages[lane];
        shares.took(lane, 1);
    }
    EXPECT_NEAR(pages[0], 800, 5);
    EXPECT_NEAR(pages[1], 400, 5);
    EXPECT_NEAR(pages[2], 100, 5);
}

TEST(LaneShares, ALaneThatWasIdleSavesNoCredit) {
    LaneShares shares;
    for (int i = 0; i < 1'000; ++i) {
        shares.idle(0);
        shares.took(2, 1);
    }
    int high_in_a_row = 0;
    while (shares.order()[0] == 0) {
        shares.took(0, 1);
        ++high_in_a_row;
        ASSERT_LT(high_in_a_row, 100);
    }
    EXPECT_LE(high_in_a_row, 9);
}

TEST(FreeSlots, LowNeverTakesTheLastFifthAndOnlyHighTheLastTenth) {
    EXPECT_EQ(free_slots(2, 48, {0, 0, 0}), 38u);
    EXPECT_EQ(free_slots(2, 48, {0, 0, 38}), 0u);
    EXPECT_EQ(free_slots(1, 48, {0, 0, 38}), 6u);
    EXPECT_EQ(free_slots(1, 48, {0, 6, 38}), 0u);
    EXPECT_EQ(free_slots(0, 48, {0, 6, 38}), 4u);
    EXPECT_EQ(free_slots(0, 48, {4, 6, 38}), 0u);
    EXPECT_EQ(free_slots(2, 2, {0, 0, 0}), 1u);
    EXPECT_EQ(free_slots(0, 1, {0, 0, 0}), 1u);
}

}  // namespace
}  // namespace belfry::policy
