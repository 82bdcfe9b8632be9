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

TEST(DeletionBreaker, ASuccessInTheWindowKeepsItClosedAndLetsSuspectsBeDeleted) {
    DeletionBreaker breaker;
    EXPECT_FALSE(breaker.may_delete_suspects(0));
    breaker.record(1'000, 1, 0, 0);
    EXPECT_FALSE(breaker.record(2'000, 0, 500, 0));
    EXPECT_TRUE(breaker.may_delete_suspects(2'000));
}

TEST(DeletionBreaker, ForgetsWhatIsOlderThanTheWindow) {
    DeletionBreaker breaker;
    breaker.record(0, 1, 0, 0);
    EXPECT_FALSE(breaker.may_delete_suspects(6 * 60'000));
    EXPECT_TRUE(breaker.record(6 * 60'000, 0, 60, 0));
    DeletionBreaker slow;
    for (int minute = 0; minute < 60; ++minute) EXPECT_FALSE(slow.record(minute * 60'000, 0, 9, 0)) << minute;
}

TEST(DeletionBreaker, ClosesAfterTheFirstSuccessAndByReset) {
    DeletionBreaker breaker;
    EXPECT_TRUE(breaker.record(1'000, 0, 80, 0));
    EXPECT_FALSE(breaker.record(2'000, 1, 0, 0));
    EXPECT_FALSE(breaker.open());
    DeletionBreaker other;
    EXPECT_TRUE(other.record(1'000, 0, 80, 0));
    other.reset();
    EXPECT_TRUE(other.may_delete_definite());
}

}  // namespace
}  // namespace belfry::policy
