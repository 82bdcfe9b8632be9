// SPDX-License-Identifier: Apache-2.0
#include "policy/backoff.h"

#include <gtest/gtest.h>

#include <random>

namespace belfry::policy {
namespace {

TEST(Backoff, StaysBetweenBaseAndCapAndGrowsWithAttempts) {
    const AttemptPolicy policy;
    std::mt19937_64 random(1);
    for (uint32_t attempt = 1; attempt < 80; ++attempt) {
        for (int i = 0; i < 50; ++i) {
            const int64_t delay = retry_delay_ms(policy, attempt, 0, random());
            EXPECT_GE(delay, 2'000);
            EXPECT_LE(delay, 15 * 60'000);
            EXPECT_TRUE(attempt > 1 || delay <= 4'000);
        }
    }
    int64_t sixth = 0;
    for (int i = 0; i < 200; ++i) sixth = std::max(sixth, retry_delay_ms(policy, 6, 0, random()));
    EXPECT_GT(sixth, 60'000);
}

TEST(Backoff, TheProvidersHintIsTheShortestDelayAndGetsJitterToo) {
    EXPECT_EQ(retry_delay_ms(AttemptPolicy{}, 1, 90'000, 0), 90'000);
    EXPECT_EQ(retry_delay_ms(AttemptPolicy{}, 1, 90'000, 4'000), 94'000);
    EXPECT_EQ(retry_delay_ms(AttemptPolicy{}, 1, 90'000, 4'001), 90'000);
    EXPECT_EQ(retry_delay_ms(AttemptPolicy{}, 5, 100, 64'000), 64'100);
}

TEST(Backoff, DueTimesAreRoundedUpTheCoarserTheFarther) {
    const int64_t now = 1'700'000'000'123;
    EXPECT_EQ(round_due_ms(now + 2'000, now), 1'700'000'003'000);
    EXPECT_EQ(round_due_ms(now + 60'000, now) % 5'000, 0);
    EXPECT_EQ(round_due_ms(now + 600'000, now) % 60'000, 0);
    EXPECT_GE(round_due_ms(now + 600'000, now), now + 600'000);
    EXPECT_EQ(round_due_ms(now - 5, now), now - 5);
}

TEST(Backoff, RefusedCredentialsAreProbedSlowly) {
    EXPECT_EQ(refused_credential_delay_ms(0), 60'000);
    EXPECT_EQ(refused_credential_delay_ms(1), 60'000);
    EXPECT_EQ(refused_credential_delay_ms(2), 120'000);
    EXPECT_EQ(refused_credential_delay_ms(3), 300'000);
    EXPECT_EQ(refused_credential_delay_ms(4), 600'000);
    EXPECT_EQ(refused_credential_delay_ms(99), 600'000);
    EXPECT_EQ(trouble_delay_ms(1), 1'000);
    EXPECT_EQ(trouble_delay_ms(50), 30'000);
}

}  // namespace
}  // namespace belfry::policy
