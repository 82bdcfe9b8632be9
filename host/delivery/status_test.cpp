// SPDX-License-Identifier: Apache-2.0
// The words of states and lanes.
#include "delivery/status.h"

#include <gtest/gtest.h>

namespace belfry::delivery {
namespace {

TEST(Status, SpeaksTheWordsOfTheApi) {
    EXPECT_EQ(word_of_state(BELFRY_PUSH_DELAYED), "delayed");
    EXPECT_EQ(word_of_state(BELFRY_PUSH_EXPIRED), "expired");
    EXPECT_EQ(word_of_state(77), "unknown");
    EXPECT_EQ(state_of_word("running"), BELFRY_PUSH_RUNNING);
    EXPECT_EQ(state_of_word("nonsense"), 0);
    EXPECT_EQ(word_of_lane(BELFRY_LANE_LOW), "low");
}

}  // namespace
}  // namespace belfry::delivery
