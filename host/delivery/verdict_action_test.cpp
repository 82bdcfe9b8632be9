// SPDX-License-Identifier: Apache-2.0
#include "delivery/verdict_action.h"

#include <gtest/gtest.h>
#include <belfry/abi.hpp>

#include <string>
#include <vector>

namespace belfry::delivery {
namespace {

constexpr int64_t kNow = 1'700'000'000'000;

AttemptState first_attempt() {
    AttemptState state;
    state.now_unix_ms = kNow;
    state.random = 12'345;
    return state;
}

belfry_verdict verdict(int32_t outcome, int32_t scope = BELFRY_SCOPE_ITEM, uint32_t flags = 0, int64_t after_ms = 0) {
    belfry_verdict row = sized<belfry_verdict>();
    row.outcome = outcome;
    row.scope = scope;
    row.flags = flags;
    row.retry_after_ms = after_ms;
    row.variant = 9;
    return row;
}

struct Case {
    std::string name;
    belfry_verdict given;
    Fate fate;
    int32_t outcome;   // Final and Dead
    uint32_t attempt;  // Owed
    Scope stop, throttle, refused;
    bool deletes;
};

std::vector<Case> cases() {
    using S = Scope;
    return {
        {"accepted", verdict(BELFRY_ACCEPTED), Fate::Final, BELFRY_FINAL_ACCEPTED, 0, S::None, S::None, S::None, false},
        {"gone", verdict(BELFRY_DEVICE_GONE), Fate::Final, BELFRY_FINAL_GONE, 0, S::None, S::None, S::None, true},
        {"refused item", verdict(BELFRY_REFUSED), Fate::Final, BELFRY_FINAL_REFUSED, 0, S::None, S::None, S::None,
         false},
        {"refused push", verdict(BELFRY_REFUSED, BELFRY_SCOPE_PUSH), Fate::Final, BELFRY_FINAL_REFUSED, 0, S::Push,
         S::None, S::None, false},
        {"retry", verdict(BELFRY_RETRY), Fate::Owed, 0, 2, S::None, S::None, S::None, false},
        {"throttled item", verdict(BELFRY_THROTTLED), Fate::Owed, 0, 1, S::None, S::None, S::None, false},
        {"throttled platform", verdict(BELFRY_THROTTLED, BELFRY_SCOPE_PLATFORM), Fate::Owed, 0, 1, S::None, S::Platform,
         S::None, false},
        {"throttled instance", verdict(BELFRY_THROTTLED, BELFRY_SCOPE_INSTANCE), Fate::Owed, 0, 1, S::None, S::Instance,
         S::None, false},
        {"auth instance", verdict(BELFRY_AUTH_REFUSED, BELFRY_SCOPE_INSTANCE), Fate::Owed, 0, 1, S::None, S::None,
         S::Instance, false},
        {"auth platform", verdict(BELFRY_AUTH_REFUSED, BELFRY_SCOPE_PLATFORM), Fate::Owed, 0, 1, S::None, S::None,
         S::Platform, false},
        {"misconfigured", verdict(BELFRY_MISCONFIGURED, BELFRY_SCOPE_INSTANCE), Fate::Owed, 0, 1, S::None, S::None,
         S::Instance, false},
        {"expired", verdict(BELFRY_EXPIRED), Fate::Final, BELFRY_FINAL_EXPIRED, 0, S::None, S::None, S::None, false},
        {"unsupported", verdict(BELFRY_NOT_SUPPORTED), Fate::Final, BELFRY_FINAL_UNSUPPORTED, 0, S::None, S::None,
         S::None, false},
        {"fault", verdict(BELFRY_FAULT), Fate::Final, BELFRY_FINAL_INTERNAL, 0, S::None, S::None, S::None, false},
        {"nonsense", verdict(4711), Fate::Final, BELFRY_FINAL_INTERNAL, 0, S::None, S::None, S::None, false},
    };
}

TEST(VerdictAction, EveryVerdictHasItsAction) {
    for (const Case& c : cases()) {
        const Action action = action_for(c.given, first_attempt(), {});
        EXPECT_EQ(action.fate, c.fate) << c.name;
        const bool ends = c.fate == Fate::Final || c.fate == Fate::Dead;
        EXPECT_EQ(ends ? action.outcome : 0, c.outcome) << c.name;
        EXPECT_EQ(c.fate == Fate::Owed ? action.attempt : 0, c.attempt) << c.name;
        EXPECT_EQ(action.stop, c.stop) << c.name;
        EXPECT_EQ(action.throttle, c.throttle) << c.name;
        EXPECT_EQ(action.refused, c.refused) << c.name;
        EXPECT_EQ(action.delete_device, c.deletes) << c.name;
    }
}

TEST(VerdictAction, NothingIsOwedPastTheExpiry) {
    for (const Case& c : cases()) {
        if (c.fate != Fate::Owed) continue;
        AttemptState state = first_attempt();
        state.expires_unix_ms = kNow;
        const Action action = action_for(c.given, state, {});
        EXPECT_EQ(action.fate, Fate::Final) << c.name;
        EXPECT_EQ(action.outcome, BELFRY_FINAL_EXPIRED) << c.name;
    }
}

TEST(VerdictAction, RetriesUseTheHintAndEndInTheDeadLetters) {
    AttemptState state = first_attempt();
    const int64_t due = action_for(verdict(BELFRY_RETRY, BELFRY_SCOPE_ITEM, 0, 10'000), state, {}).due_unix_ms;
    EXPECT_GE(due, kNow + 10'000);
    EXPECT_LE(due, kNow + 15'000);  // jitter of 4 s, rounded up to a second
    state.attempt = 5;
    EXPECT_EQ(action_for(verdict(BELFRY_RETRY), state, {}).attempt, 6u);
    state.attempt = 6;
    const Action last = action_for(verdict(BELFRY_RETRY), state, {});
    EXPECT_EQ(last.fate, Fate::Dead);
    EXPECT_EQ(last.outcome, BELFRY_FINAL_DEAD);
}

TEST(VerdictAction, AThrottledInstanceWaitsBehindItsGateAndOthersByDueTime) {
    const Action instance =
        action_for(verdict(BELFRY_THROTTLED, BELFRY_SCOPE_INSTANCE, 0, 30'000), first_attempt(), {});
    EXPECT_EQ(instance.due_unix_ms, kNow);
    EXPECT_EQ(instance.pause_ms, 30'000);
    const Action item = action_for(verdict(BELFRY_THROTTLED, BELFRY_SCOPE_ITEM, 0, 30'000), first_attempt(), {});
    EXPECT_EQ(item.due_unix_ms, kNow + 30'000);
    EXPECT_EQ(action_for(verdict(BELFRY_THROTTLED), first_attempt(), {}).pause_ms, kThrottleDefaultMs);
}

TEST(VerdictAction, ResendsHappenTwicePerAttemptThenTheOutcomeCounts) {
    const belfry_verdict other = verdict(BELFRY_DEVICE_GONE, BELFRY_SCOPE_ITEM, BELFRY_VERDICT_RESEND);
    AttemptState state = first_attempt();
    EXPECT_EQ(action_for(other, state, {}).fate, Fate::Resend);
    EXPECT_EQ(action_for(other, state, {}).variant, 9u);
    state.resent = kResendsMax;
    EXPECT_EQ(action_for(other, state, {}).outcome, BELFRY_FINAL_GONE);
    state.resent = 0;
    state.may_resend = false;
    const Action later = action_for(other, state, {});
    EXPECT_EQ(later.fate, Fate::Owed);
    EXPECT_EQ(later.attempt, 2u) << "what can never be sent again at once must end some day";
    EXPECT_GT(later.due_unix_ms, kNow);
}

TEST(VerdictAction, ReauthResendsOnlyOnceTheCredentialWasRenewed) {
    const belfry_verdict expired =
        verdict(BELFRY_RETRY, BELFRY_SCOPE_INSTANCE,
                BELFRY_VERDICT_RESEND | BELFRY_VERDICT_REAUTH | BELFRY_VERDICT_RETIRE_CONNECTION);
    AttemptState state = first_attempt();
    const Action wait = action_for(expired, state, {});
    EXPECT_EQ(wait.fate, Fate::Owed);
    EXPECT_EQ(wait.attempt, 1u);
    EXPECT_TRUE(wait.reauthorize);
    state.credential_renewed = true;
    EXPECT_EQ(action_for(expired, state, {}).fate, Fate::Resend);
    EXPECT_FALSE(action_for(expired, state, {}).reauthorize);
}

TEST(VerdictAction, LearntVariantsAreKept) {
    const Action action =
        action_for(verdict(BELFRY_ACCEPTED, BELFRY_SCOPE_ITEM, BELFRY_VERDICT_LEARN_VARIANT), first_attempt(), {});
    EXPECT_TRUE(action.learn_variant);
    EXPECT_EQ(action.variant, 9u);
}

TEST(VerdictAction, SuspectsAreMarked) {
    belfry_verdict gone = verdict(BELFRY_DEVICE_GONE, BELFRY_SCOPE_ITEM, BELFRY_VERDICT_SUSPECT);
    gone.gone_unix_ms = 77;
    const Action action = action_for(gone, first_attempt(), {});
    EXPECT_TRUE(action.suspect);
    EXPECT_EQ(action.gone_unix_ms, 77);
}

TEST(VerdictAction, WhatLooksDeadToAPluginThatKeepsItIsCountedAndKept) {
    const Action action =
        action_for(verdict(BELFRY_REFUSED, BELFRY_SCOPE_ITEM, BELFRY_VERDICT_SUSPECT), first_attempt(), {});
    EXPECT_EQ(action.outcome, BELFRY_FINAL_REFUSED);
    EXPECT_TRUE(action.suspect);
    EXPECT_FALSE(action.delete_device);
    EXPECT_FALSE(action_for(verdict(BELFRY_REFUSED, BELFRY_SCOPE_ITEM, 0), first_attempt(), {}).suspect);
}

TEST(ActionWithoutAnswer, UnsentIsNoAttemptAndUnknownIsOne) {
    const Action unsent = action_without_answer(http::Transport::NeverSent, first_attempt(), {});
    EXPECT_EQ(unsent.fate, Fate::Owed);
    EXPECT_EQ(unsent.attempt, 1u);
    EXPECT_LE(unsent.due_unix_ms, kNow + 2'000);
    const Action unknown = action_without_answer(http::Transport::Unknown, first_attempt(), {});
    EXPECT_EQ(unknown.attempt, 2u);
    AttemptState last = first_attempt();
    last.attempt = 6;
    EXPECT_EQ(action_without_answer(http::Transport::Unknown, last, {}).fate, Fate::Dead);
    EXPECT_EQ(action_without_answer(http::Transport::NeverSent, last, {}).fate, Fate::Owed);
}

TEST(Outcomes, HaveTheWordsOfTheApi) {
    EXPECT_EQ(word_of_outcome(BELFRY_FINAL_ACCEPTED), "accepted");
    EXPECT_EQ(word_of_outcome(BELFRY_FINAL_SKIPPED_NO_PAYLOAD), "skipped_no_payload");
    EXPECT_EQ(word_of_outcome(BELFRY_FINAL_DEAD), "dead");
    EXPECT_EQ(word_of_outcome(0), "unknown");
    EXPECT_EQ(word_of_outcome(99), "unknown");
}

}  // namespace
}  // namespace belfry::delivery
