// SPDX-License-Identifier: Apache-2.0
// How many a push has matched so far, and when it will be done.
#include "delivery/progress.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace belfry::delivery {
namespace {

TEST(Progress, CountsMatchesAndEstimatesFromThePaceOfTheRange) {
    Progress progress;
    const audience::Hash16 push{1};
    EXPECT_FALSE(progress.eta_ms(push, 1'000, 5 * kNsPerSecond));
    EXPECT_EQ(progress.passed(push, 10, 100, kNsPerSecond), 10u);
    EXPECT_EQ(progress.passed(push, 5, 100, 2 * kNsPerSecond), 15u);
    ASSERT_TRUE(progress.eta_ms(push, 400, 3 * kNsPerSecond));
    EXPECT_EQ(*progress.eta_ms(push, 400, 3 * kNsPerSecond), 4'000);
    for (uint8_t i = 0; i < 255; ++i) {
        for (uint8_t j = 0; j < 20; ++j) progress.passed({i, j, 9}, 1, 1, 0);
    }
    EXPECT_FALSE(progress.eta_ms(push, 400, 3 * kNsPerSecond));  // forgotten: bounded
}

}  // namespace
}  // namespace belfry::delivery
