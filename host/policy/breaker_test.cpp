// SPDX-License-Identifier: Apache-2.0
#include "policy/breaker.h"

#include <gtest/gtest.h>

namespace belfry::policy {
namespace {

TEST(DeletionBreaker, OpensOnFiftySuspectsWithoutASuccess) {
    DeletionBreaker breaker;
    EXPECT_FALSE(breaker.record(1'000, 0, 49, 0));
    EXPECT_TRUE(breaker.may_delete_definite());
    EXPECT_TRUE(breaker.record(2'000, 0, 1, 0));
    EXPECT_TRUE(breaker.open());
    EXPECT_FALSE(breaker.may_delete_definite());
    EXPECT_FALSE(breaker.may_delete_suspects(2'000));
}

TEST(DeletionBreaker, StaysClosedWhenSuspectsAreNotTheMajority) {
    DeletionBreaker breaker;
    EXPECT_FALSE(breaker.record(1'000, 0, 100, 100));
    EXPECT_TRUE(breaker.record(1'000, 0, 1, 0));
}

TEST(DeletionBreaker, SuccessesInTheWindowKeepItClosedAndLetSuspectsBeDeleted) {
    DeletionBreaker breaker;
    EXPECT_FALSE(breaker.may_delete_suspects(0));
    breaker.record(1'000, 30, 0, 0);
    EXPECT_FALSE(breaker.record(2'000, 0, 600, 0));
    EXPECT_TRUE(breaker.may_delete_suspects(2'000));
    DeletionBreaker few;
    few.record(1'000, 1, 0, 0);
    EXPECT_FALSE(few.record(2'000, 0, 49, 0)) << "too few to judge by";
    EXPECT_TRUE(few.may_delete_suspects(2'000));
}

TEST(DeletionBreaker, AlmostNoSuccessIsNone) {
    DeletionBreaker breaker;
    breaker.record(1'000, 1, 0, 0);
    EXPECT_TRUE(breaker.record(2'000, 0, 500, 0));
    EXPECT_FALSE(breaker.may_delete_suspects(2'000));
    EXPECT_FALSE(breaker.may_delete_definite());
}

TEST(DeletionBreaker, AListThatIsMostlyDeadIsCleaned) {
    DeletionBreaker breaker;
    for (int page = 0; page < 100; ++page) EXPECT_FALSE(breaker.record(page * 100, 400, 600, 0)) << page;
    EXPECT_TRUE(breaker.may_delete_suspects(10'000));
}

TEST(DeletionBreaker, ALongGoodTimeDoesNotHideASuddenEnd) {
    DeletionBreaker breaker;
    for (int second = 0; second < 200; ++second) breaker.record(second * 1'000, 6'000, 10, 0);
    uint32_t believed = 0;
    while (breaker.may_delete_suspects(201'000) && believed < 100'000) {
        breaker.record(201'000, 0, 1'000, 0);
        believed += 1'000;
    }
    EXPECT_LE(believed, 10'000u);
}

TEST(DeletionBreaker, ForgetsWhatIsOlderThanTheWindow) {
    DeletionBreaker breaker;
    breaker.record(0, 1, 0, 0);
    EXPECT_FALSE(breaker.may_delete_suspects(6 * 60'000));
    EXPECT_TRUE(breaker.record(6 * 60'000, 0, 60, 0));
    DeletionBreaker slow;
    for (int minute = 0; minute < 60; ++minute) EXPECT_FALSE(slow.record(minute * 60'000, 0, 9, 0)) << minute;
}

TEST(DeletionBreaker, ClosesWhenEnoughIsAcceptedAgainAndByReset) {
    DeletionBreaker breaker;
    EXPECT_TRUE(breaker.record(1'000, 0, 80, 0));
    EXPECT_FALSE(breaker.record(2'000, 3, 0, 0)) << "it says once that it opened";
    EXPECT_TRUE(breaker.open());
    EXPECT_FALSE(breaker.record(10 * 60'000, 0, 0, 0));
    EXPECT_TRUE(breaker.open()) << "silence proves nothing";
    EXPECT_FALSE(breaker.record(10 * 60'000, 1, 0, 0));
    EXPECT_FALSE(breaker.open());
    DeletionBreaker other;
    EXPECT_TRUE(other.record(1'000, 0, 80, 0));
    other.reset();
    EXPECT_TRUE(other.may_delete_definite());
}

}  // namespace
}  // namespace belfry::policy
