// SPDX-License-Identifier: Apache-2.0
#include "delivery/origins.h"

#include <gtest/gtest.h>

#include <chrono>

#include "fakes/facades.h"

namespace belfry::delivery {
namespace {

constexpr OriginId kOne = 1, kOther = 2;
constexpr std::string_view kUrl = "https://push.one", kOtherUrl = "https://push.other";

class OriginsOfAnInstance : public testing::Test {
protected:
    ManualClock clock;
    fakes::QuietLog log;
    Origins origins{"webpush", clock, log};
    bool goes(OriginId id) { return origins.ask(id).wait_ms == 0; }
    void pass_ms(int64_t ms) { clock.advance(std::chrono::milliseconds(ms)); }
};

TEST_F(OriginsOfAnInstance, AThrottleHoldsItsOriginForItsTimeAndNoOther) {
    EXPECT_EQ(origins.throttled(kOne, kUrl, 120'000, "TOO_MANY"), 120'000);
    EXPECT_FALSE(goes(kOne));
    EXPECT_TRUE(goes(kOther));
    ASSERT_EQ(origins.troubled().size(), 1u);
    EXPECT_EQ(origins.troubled()[0].state, GateState::Throttled);
    EXPECT_EQ(origins.troubled()[0].url, kUrl);
    pass_ms(119'000);
    EXPECT_FALSE(goes(kOne));
    EXPECT_EQ(origins.throttled(kOne, kUrl, 500, "TOO_MANY"), 1'000) << "a shorter wait does not end a longer one";
    pass_ms(1'001);
    EXPECT_TRUE(goes(kOne));
}

TEST_F(OriginsOfAnInstance, AfterAPauseAHandfulAsksAndASuccessOpens) {
    origins.throttled(kOne, kUrl, 1'000, "TOO_MANY");
    pass_ms(1'001);
    for (uint32_t i = 0; i < kOriginProbes; ++i) EXPECT_TRUE(goes(kOne)) << i;
    const Origins::Permit permit = origins.ask(kOne);
    EXPECT_GE(permit.wait_ms, 6'000);
    EXPECT_FALSE(permit.costs_attempt);
    origins.worked(kOne, kUrl);
    for (uint32_t i = 0; i < 3 * kOriginProbes; ++i) ASSERT_TRUE(goes(kOne));
    EXPECT_TRUE(origins.troubled().empty());
}

TEST_F(OriginsOfAnInstance, FailuresOfEverybodyCloseItAndNobodyIsGivenUpIfItWorkedLately) {
    origins.failures(kOne, kUrl, kFailedRunMin - 1, 0, "503");
    EXPECT_TRUE(goes(kOne));
    origins.failures(kOne, kUrl, 19, 1, "503");
    origins.failures(kOne, kUrl, 1, 0, "503");
    EXPECT_TRUE(goes(kOne)) << "others were answered";
    origins.failures(kOne, kUrl, kFailedRunMin, 0, "503");
    EXPECT_FALSE(goes(kOne));
    EXPECT_TRUE(goes(kOther));
    ASSERT_EQ(origins.troubled().size(), 1u);
    EXPECT_EQ(origins.troubled()[0].state, GateState::Failing);
    EXPECT_EQ(origins.troubled()[0].reason, "503");
    EXPECT_FALSE(origins.fails_everybody(kOne)) << "it never worked: its deliveries must end some day";
    EXPECT_TRUE(origins.ask(kOne).costs_attempt);
    origins.worked(kOne, kUrl);
    EXPECT_TRUE(goes(kOne));
    pass_ms(60'000);
    origins.failures(kOne, kUrl, kFailedRunMin, 0, "503");
    EXPECT_FALSE(goes(kOne));
    EXPECT_TRUE(origins.fails_everybody(kOne));
    EXPECT_FALSE(origins.ask(kOne).costs_attempt);
    pass_ms(25 * 3'600 * 1'000);
    EXPECT_FALSE(origins.fails_everybody(kOne));
}

TEST_F(OriginsOfAnInstance, ASuccessFromBeforeAThrottleDoesNotEndIt) {
    origins.throttled(kOne, kUrl, 60'000, "TOO_MANY");
    origins.worked(kOne, kUrl);
    EXPECT_FALSE(goes(kOne));
}

// A client may register a path that its push service answers with 401 or 405 to everybody.
TEST_F(OriginsOfAnInstance, ARefusalBesideSuccessesIsTheSubscriptionsOwn) {
    EXPECT_EQ(origins.refused(kOne, kUrl, "METHOD_NOT_ALLOWED").wait_ms, 60'000);
    origins.worked(kOne, kUrl);
    EXPECT_TRUE(goes(kOne));
    EXPECT_TRUE(origins.troubled().empty());
    for (int i = 0; i < 3; ++i) EXPECT_EQ(origins.refused(kOne, kUrl, "METHOD_NOT_ALLOWED").wait_ms, 0);
    EXPECT_TRUE(goes(kOne));
    origins.silent(kOne, kUrl, "one request got no answer");
    EXPECT_TRUE(goes(kOne));
    EXPECT_EQ(origins.refused(kOne, kUrl, "FORBIDDEN").wait_ms, 60'000) << "so many are the origin's";
    EXPECT_FALSE(goes(kOne));
    origins.worked(kOne, kUrl);
    pass_ms(5'001);
    EXPECT_EQ(origins.refused(kOne, kUrl, "FORBIDDEN").wait_ms, 60'000) << "nothing speaks against it";
}

TEST_F(OriginsOfAnInstance, TroubleThatNobodyAskedAboutSinceIsForgotten) {
    origins.refused(kOne, kUrl, "FORBIDDEN");
    pass_ms(14 * 60'000);
    EXPECT_EQ(origins.troubled().size(), 1u);
    pass_ms(2 * 60'000);
    EXPECT_TRUE(origins.troubled().empty());
}

TEST_F(OriginsOfAnInstance, RefusalsPauseLongerEachTimeAndThoseUnderWayCountOnce) {
    EXPECT_EQ(origins.refused(kOne, kUrl, "FORBIDDEN").wait_ms, 60'000);
    pass_ms(10'000);
    EXPECT_EQ(origins.refused(kOne, kUrl, "FORBIDDEN").wait_ms, 50'000);
    EXPECT_EQ(origins.throttled(kOne, kUrl, 600'000, "TOO_MANY"), 50'000) << "a refusal is more than a throttle";
    pass_ms(50'001);
    EXPECT_TRUE(goes(kOne));
    EXPECT_EQ(origins.refused(kOne, kUrl, "FORBIDDEN").wait_ms, 120'000);
    EXPECT_EQ(origins.troubled()[0].state, GateState::Refused);
    EXPECT_EQ(origins.troubled()[0].reason, "FORBIDDEN");
}

TEST_F(OriginsOfAnInstance, ARefusalCostsNoAttemptForADay) {
    origins.worked(kOne, kUrl);
    pass_ms(6'000);
    for (int64_t passed = 0; passed <= 24 * 60; passed += 10) {  // minutes
        const Origins::Permit pause = origins.refused(kOne, kUrl, "FORBIDDEN");
        EXPECT_TRUE(pause.refused);
        ASSERT_FALSE(pause.costs_attempt) << passed;
        ASSERT_FALSE(origins.ask(kOne).costs_attempt) << passed;
        pass_ms(10 * 60'000);
    }
    const Origins::Permit late = origins.refused(kOne, kUrl, "FORBIDDEN");
    EXPECT_TRUE(late.costs_attempt) << "its deliveries must end some day";
    EXPECT_EQ(late.retry_after_ms, late.wait_ms);
    EXPECT_TRUE(origins.ask(kOne).costs_attempt);
    origins.worked(kOne, kUrl);
    pass_ms(6'000);
    EXPECT_FALSE(origins.refused(kOne, kUrl, "FORBIDDEN").costs_attempt) << "a new day";
    origins.reset();
    pass_ms(25 * 3'600 * 1'000);
    EXPECT_FALSE(origins.refused(kOne, kUrl, "FORBIDDEN").costs_attempt) << "an operator has acted";
}

TEST_F(OriginsOfAnInstance, WhatWaitsForOneThatRefusesIsLetInWhenItMayBeAsked) {
    EXPECT_TRUE(origins.may_ask_refused());
    origins.throttled(kOther, "two", 600'000, "TOO_MANY");
    EXPECT_TRUE(origins.may_ask_refused()) << "a throttle is no refusal";
    origins.refused(kOne, kUrl, "FORBIDDEN");
    EXPECT_FALSE(origins.may_ask_refused());
    pass_ms(60'001);
    EXPECT_TRUE(origins.may_ask_refused());
    for (uint32_t i = 0; i < kOriginProbes; ++i) EXPECT_TRUE(goes(kOne));
    EXPECT_FALSE(origins.may_ask_refused()) << "its probes are under way";
    origins.refused(kOne, kUrl, "FORBIDDEN");
    pass_ms(120'001);
    EXPECT_TRUE(origins.may_ask_refused());
    pass_ms(2'001);
    EXPECT_FALSE(origins.may_ask_refused()) << "nothing of it came: what waits for others is not stirred for ever";
    pass_ms(30'001);
    EXPECT_TRUE(origins.may_ask_refused());
    EXPECT_TRUE(goes(kOne));
    origins.refused(kOne, kUrl, "FORBIDDEN");
    EXPECT_FALSE(origins.may_ask_refused());
    origins.reset();
    EXPECT_TRUE(origins.may_ask_refused());
}

TEST_F(OriginsOfAnInstance, SilenceCostsAttemptsOnlyWhereNothingEverWorked) {
    origins.silent(kOne, kUrl, "connection refused");
    EXPECT_TRUE(origins.ask(kOne).costs_attempt);
    origins.worked(kOther, kOtherUrl);
    pass_ms(6'000);
    origins.silent(kOther, kOtherUrl, "connection refused");
    EXPECT_FALSE(goes(kOther));
    EXPECT_FALSE(origins.ask(kOther).costs_attempt);
    pass_ms(25 * 3'600'000);
    EXPECT_FALSE(origins.works(kOther));
}

TEST_F(OriginsOfAnInstance, SuspectsAreBelievedByTheSuccessesOfTheirOwnOriginAndVariant) {
    const OriginKey mine{kOne, 7}, old_key{kOne, 8}, other{kOther, 7};
    origins.record(other, kOtherUrl, 1'000, 0, 0);
    EXPECT_FALSE(origins.may_delete(mine, true));
    EXPECT_TRUE(origins.may_delete(mine, false));
    origins.record(mine, kUrl, 1, 1, 0);
    EXPECT_TRUE(origins.may_delete(mine, true));
    EXPECT_FALSE(origins.may_delete(old_key, true));
    pass_ms(6 * 60'000);
    EXPECT_FALSE(origins.may_delete(mine, true)) << "that success was long ago";
}

TEST_F(OriginsOfAnInstance, AnOriginWhereAllLooksDeadKeepsEvenDefiniteOnes) {
    const OriginKey mine{kOne, 7}, other{kOther, 7};
    origins.record(mine, kUrl, 0, 50, 0);
    origins.record(other, kOtherUrl, 5'000, 0, 0);
    EXPECT_FALSE(origins.may_delete(mine, false));
    EXPECT_TRUE(origins.may_delete(other, true));
    ASSERT_EQ(origins.troubled().size(), 1u);
    EXPECT_TRUE(origins.troubled()[0].deletions_stopped);
    EXPECT_EQ(origins.troubled()[0].url, kUrl);
    origins.record(mine, kUrl, 3, 0, 0);
    EXPECT_TRUE(origins.may_delete(mine, true));
}

TEST_F(OriginsOfAnInstance, AreBoundedAndTheOpenOnesAreForgottenFirst) {
    origins.refused(0, kUrl, "FORBIDDEN");
    for (int i = 1; i < 3 * static_cast<int>(kOriginsMax); ++i) {
        pass_ms(1);
        origins.worked(i, "https://many");
        origins.record({i, 0}, "https://many", 1, 0, 0);
    }
    EXPECT_FALSE(goes(0));
    EXPECT_FALSE(origins.works(1));
    EXPECT_FALSE(origins.may_delete({1, 0}, true)) << "forgotten: its suspects are kept";
    for (int i = 0; i < 2 * static_cast<int>(kOriginsMax); ++i)
        origins.refused(10'000 + i, "https://many", "FORBIDDEN");
    EXPECT_EQ(origins.troubled().size(), kOriginsShownMax);
}

TEST_F(OriginsOfAnInstance, ANewGenerationStartsWithACleanSlate) {
    origins.refused(kOne, kUrl, "FORBIDDEN");
    origins.record({kOther, 0}, kOtherUrl, 0, 100, 0);
    origins.reset();
    EXPECT_TRUE(goes(kOne));
    EXPECT_TRUE(origins.troubled().empty());
}

}  // namespace
}  // namespace belfry::delivery
