// SPDX-License-Identifier: Apache-2.0
// What a node of a shared queue keeps in memory.
#include <gtest/gtest.h>

#include "queue/held.h"
#include "queue/quiet.h"

namespace belfry::queue_parts {
namespace {

TEST(Held, FencesAnItemThatLostAPage) {
    Held held;
    held.add(1, {7, 3, 5});
    EXPECT_TRUE(held.agrees(1, {7, 3, 5}));
    EXPECT_FALSE(held.agrees(1, {7, 3, 4}));
    EXPECT_TRUE(held.agrees(1, {7, 2, 4})) << "another claim is fenced by its epoch";
    EXPECT_TRUE(held.agrees(2, {7, 3, 0})) << "what is not known is believed";
}

TEST(Held, KnowsItsOrphans) {
    Held held;
    held.add(1, {7, 3, 0});
    EXPECT_FALSE(held.is_orphan(1, {7, 3, 9}));
    EXPECT_TRUE(held.is_orphan(1, {7, 4, 0}));
    EXPECT_TRUE(held.is_orphan(2, {7, 3, 0}));
    {
        const Held::Taking taking(held);
        EXPECT_FALSE(held.is_orphan(2, {7, taking.epoch(), 0})) << "its claim is not answered yet";
    }
}

TEST(Held, KeepsWhatIsInDoubtUntilItsCheckpointsAreAnswered) {
    Held held;
    held.doubt(5, {100, 101});
    EXPECT_FALSE(held.is_orphan(1, {7, 5, 0}));
    held.answered({100});
    EXPECT_FALSE(held.is_orphan(1, {7, 5, 0}));
    held.answered({101});
    EXPECT_TRUE(held.is_orphan(1, {7, 5, 0}));
}

TEST(Held, DropsNoHoldOfALaterClaim) {
    Held held;
    held.add(1, {7, 3, 0});
    held.add(1, {7, 4, 0});
    held.drop(1, 3);
    EXPECT_FALSE(held.is_orphan(1, {7, 4, 0}));
    held.drop(1, 4);
    EXPECT_TRUE(held.is_orphan(1, {7, 4, 0}));
}

TEST(Quiet, EndsSoonOrWithABellAndIsForOneQuestion) {
    const Quiet::Clock::time_point now{};
    Quiet quiet;
    quiet.found_nothing(1, {0, 4}, 9, now);
    EXPECT_TRUE(quiet.is_quiet(1, {0, 4}, 9, now));
    EXPECT_FALSE(quiet.is_quiet(1, {0, 4}, 9, now + std::chrono::milliseconds(2)));
    EXPECT_FALSE(quiet.is_quiet(1, {0, 4}, 10, now));
    EXPECT_FALSE(quiet.is_quiet(1, {0, 4, 5}, 9, now));
    EXPECT_FALSE(quiet.is_quiet(2, {0, 4}, 9, now));
}

}  // namespace
}  // namespace belfry::queue_parts
