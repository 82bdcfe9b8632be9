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

}  // namespace
}  // namespace belfry::delivery
