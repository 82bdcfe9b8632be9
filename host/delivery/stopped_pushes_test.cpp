// SPDX-License-Identifier: Apache-2.0
// Which pushes were stopped lately.
#include "delivery/stopped_pushes.h"

#include <belfry/queue.h>
#include <gtest/gtest.h>

#include <chrono>

#include "base/clock.h"

namespace belfry::delivery {
namespace {

TEST(StoppedPushes, RemembersAWhileAndForgetsWhatRunsAgain) {
    ManualClock clock;
    StoppedPushes stopped(clock);
    const audience::Hash16 push{1};
    EXPECT_EQ(stopped.state(push), 0);
    stopped.set(push, BELFRY_PUSH_CANCELLED);
    EXPECT_EQ(stopped.state(push), BELFRY_PUSH_CANCELLED);
    const uint64_t version = stopped.version();
    stopped.set(push, BELFRY_PUSH_RUNNING);
    EXPECT_EQ(stopped.state(push), 0);
    EXPECT_NE(stopped.version(), version);
    stopped.set(push, BELFRY_PUSH_EXPIRED);
    clock.advance(std::chrono::minutes(5));
    EXPECT_EQ(stopped.state(push), 0);  // its uid may belong to another push now
}

TEST(StoppedPushes, KeepsTheNewestWhateverRanInBetween) {
    ManualClock clock;
    StoppedPushes stopped(clock);
    const audience::Hash16 push{0xff, 0xff, 0xff};
    stopped.set(push, BELFRY_PUSH_PAUSED);
    stopped.set(push, BELFRY_PUSH_RUNNING);
    stopped.set(push, BELFRY_PUSH_PAUSED);
    for (size_t i = 1; i < kStoppedPushesMax; ++i)
        stopped.set({static_cast<uint8_t>(i), static_cast<uint8_t>(i >> 8)}, BELFRY_PUSH_CANCELLED);
    EXPECT_EQ(stopped.state(push), BELFRY_PUSH_PAUSED);
    stopped.set({1, 2, 3}, BELFRY_PUSH_CANCELLED);
    EXPECT_EQ(stopped.state(push), 0);
}

}  // namespace
}  // namespace belfry::delivery
