// SPDX-License-Identifier: Apache-2.0
#include "delivery/platforms.h"

#include <gtest/gtest.h>

#include "fakes/facades.h"

namespace belfry::delivery {
namespace {

constexpr uint32_t kIos = 735'500'902U, kOther = 5, kRawToken = 0;
constexpr int64_t kWaitMs = 60'000;

class PlatformsTest : public testing::Test {
protected:
    Platforms::Refusal refuse(uint32_t platform = kIos) { return platforms.refused(platform, "no APNs key", kWaitMs); }
    void pass(int64_t seconds) { clock.advance(std::chrono::seconds(seconds)); }
    bool paused(uint32_t platform) const { return platforms.paused_until(platform, clock.unix_ms()) != 0; }
    ManualClock clock;
    fakes::QuietLog log;
    Platforms platforms{"fcm", clock, log};
};

TEST_F(PlatformsTest, OneThatRefusesWaitsAloneAndIsShownUntilItWorks) {
    EXPECT_FALSE(refuse().own);
    EXPECT_EQ(platforms.paused_until(kIos, clock.unix_ms()), clock.unix_ms() + kWaitMs);
    EXPECT_FALSE(paused(kOther));
    EXPECT_EQ(platforms.paused(), 1U);
    ASSERT_EQ(platforms.troubled().size(), 1U);
    EXPECT_EQ(platforms.troubled()[0].name, "ios");
    EXPECT_EQ(platforms.troubled()[0].reason, "no APNs key");
    EXPECT_EQ(platforms.troubled()[0].closed_ms, kWaitMs);
    pass(61);
    EXPECT_FALSE(paused(kIos)) << "a page tries";
    EXPECT_EQ(platforms.troubled().size(), 1U) << "nobody has proved that it works";
    platforms.worked(kIos);
    EXPECT_TRUE(platforms.troubled().empty());
}

TEST_F(PlatformsTest, AFewRefusalsBesideSuccessesAreTheirDeliveriesOwn) {
    platforms.worked(kIos);
    for (uint32_t i = 0; i < kOwnRefusalsMax; ++i) EXPECT_TRUE(refuse().own) << i;
    EXPECT_FALSE(paused(kIos));
    EXPECT_FALSE(refuse().own);
    EXPECT_TRUE(paused(kIos));
    platforms.worked(kIos);  // sent before
    EXPECT_TRUE(paused(kIos));
    EXPECT_EQ(platforms.troubled().size(), 1U);
}

TEST_F(PlatformsTest, ASuccessOpensWhatAFewRefusalsClosedBeforeIt) {
    refuse();
    platforms.worked(kIos);
    EXPECT_FALSE(paused(kIos));
    EXPECT_TRUE(platforms.troubled().empty());
}

TEST_F(PlatformsTest, OneThatRefusesForADayCostsAttemptsAndIsPausedNoMore) {
    for (int minute = 0; minute <= 24 * 60; ++minute) {
        EXPECT_FALSE(refuse().costs_attempt) << minute;
        pass(60);
    }
    pass(1);
    EXPECT_TRUE(refuse().costs_attempt);
    EXPECT_FALSE(paused(kIos));
    EXPECT_EQ(platforms.troubled().size(), 1U);
}

TEST_F(PlatformsTest, ThoseItRefusesForADayEndThoughOthersAreServed) {
    for (int minute = 0; minute <= 25 * 60; ++minute) {
        platforms.worked(kIos);
        for (uint32_t i = 0; i <= kOwnRefusalsMax; ++i) refuse();
        pass(61);
    }
    EXPECT_TRUE(refuse().costs_attempt);
    pass(2 * 3'600);
    EXPECT_FALSE(refuse().costs_attempt) << "another trouble";
}

TEST_F(PlatformsTest, RawTokensHaveNothingInCommonAndAreNotPaused) {
    EXPECT_FALSE(refuse(kRawToken).own);
    platforms.pause(kRawToken, clock.unix_ms() + 5'000);
    EXPECT_FALSE(paused(kRawToken));
    ASSERT_EQ(platforms.troubled().size(), 1U);
    EXPECT_EQ(platforms.troubled()[0].name, "devices without a platform");
}

TEST_F(PlatformsTest, WhatNobodyAsksAboutIsShownNoMore) {
    refuse();
    pass(16 * 60 + 1);
    EXPECT_TRUE(platforms.troubled().empty());
}

TEST_F(PlatformsTest, ANewGenerationLiftsEverything) {
    refuse();
    platforms.pause(kOther, clock.unix_ms() + 5'000);
    platforms.reset();
    EXPECT_FALSE(paused(kIos) || paused(kOther));
    EXPECT_TRUE(platforms.troubled().empty());
}

}  // namespace
}  // namespace belfry::delivery
