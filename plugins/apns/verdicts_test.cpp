// SPDX-License-Identifier: Apache-2.0
// Every answer that APNs is known to give: one verdict for each.
#include "fakes/apns_bed.h"

namespace belfry::fakes {
namespace {

constexpr uint32_t kSuspect = BELFRY_VERDICT_SUSPECT, kReconnect = BELFRY_VERDICT_RETIRE_CONNECTION,
                   kAgain = BELFRY_VERDICT_RESEND | kReconnect, kRenew = BELFRY_VERDICT_REAUTH | kAgain;
constexpr int32_t kItem = BELFRY_SCOPE_ITEM, kPush = BELFRY_SCOPE_PUSH, kInstance = BELFRY_SCOPE_INSTANCE;

Answer refusal(int status, const std::string& reason) {
    return {status, reason.empty() ? "" : R"({"reason":")" + reason + "\"}", "", 0, 0, 0};
}
Answer cut(Answer answer) {
    answer.cut = true;
    return answer;
}
Answer again(Answer answer) {
    answer.resent = 1;
    return answer;
}

struct Case {
    const char* name;
    Answer answer;
    int32_t outcome, scope;
    uint32_t flags;
    int64_t wait_ms;
    const char* word;
    friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};

const Case kCases[] = {
    {"BadCollapseId", refusal(400, "BadCollapseId"), BELFRY_REFUSED, kPush, 0, 0, "BadCollapseId"},
    {"BadDeviceToken", refusal(400, "BadDeviceToken"), BELFRY_DEVICE_GONE, kItem, kSuspect, 0, "BadDeviceToken"},
    {"BadExpirationDate", refusal(400, "BadExpirationDate"), BELFRY_REFUSED, kPush, 0, 0, "BadExpirationDate"},
    {"BadMessageId", refusal(400, "BadMessageId"), BELFRY_REFUSED, kPush, 0, 0, "BadMessageId"},
    {"BadPriority", refusal(400, "BadPriority"), BELFRY_REFUSED, kPush, 0, 0, "BadPriority"},
    {"BadTopic", refusal(400, "BadTopic"), BELFRY_REFUSED, kPush, 0, 0, "BadTopic"},
    {"DeviceTokenNotForTopic", refusal(400, "DeviceTokenNotForTopic"), BELFRY_REFUSED, kItem, 0, 0,
     "DeviceTokenNotForTopic"},
    {"DuplicateHeaders", refusal(400, "DuplicateHeaders"), BELFRY_REFUSED, kPush, 0, 0, "DuplicateHeaders"},
    {"IdleTimeout", refusal(400, "IdleTimeout"), BELFRY_RETRY, kItem, kAgain, 1'000, "IdleTimeout"},
    {"InvalidPushType", refusal(400, "InvalidPushType"), BELFRY_REFUSED, kPush, 0, 0, "InvalidPushType"},
    {"MissingDeviceToken", refusal(400, "MissingDeviceToken"), BELFRY_REFUSED, kItem, 0, 0, "MissingDeviceToken"},
    {"MissingTopic", refusal(400, "MissingTopic"), BELFRY_REFUSED, kPush, 0, 0, "MissingTopic"},
    {"PayloadEmpty", refusal(400, "PayloadEmpty"), BELFRY_REFUSED, kPush, 0, 0, "PayloadEmpty"},
    {"TopicDisallowed", refusal(400, "TopicDisallowed"), BELFRY_REFUSED, kPush, 0, 0, "TopicDisallowed"},
    {"BadCertificate", refusal(403, "BadCertificate"), BELFRY_AUTH_REFUSED, kInstance, 0, 0, "BadCertificate"},
    {"A28_BadCertificateEnvironment", refusal(403, "BadCertificateEnvironment"), BELFRY_AUTH_REFUSED, kInstance, 0, 0,
     "BadCertificateEnvironment"},
    {"A11_ExpiredProviderToken", refusal(403, "ExpiredProviderToken"), BELFRY_AUTH_REFUSED, kInstance, kRenew, 0,
     "ExpiredProviderToken"},
    {"A11_again_with_a_fresh_token", again(refusal(403, "ExpiredProviderToken")), BELFRY_AUTH_REFUSED, kInstance,
     BELFRY_VERDICT_REAUTH | kReconnect, 0, "ExpiredProviderToken"},
    {"Forbidden", refusal(403, "Forbidden"), BELFRY_AUTH_REFUSED, kInstance, 0, 0, "Forbidden"},
    {"A12_InvalidProviderToken", refusal(403, "InvalidProviderToken"), BELFRY_AUTH_REFUSED, kInstance, kRenew, 0,
     "InvalidProviderToken"},
    {"A12_again_with_a_fresh_token", again(refusal(403, "InvalidProviderToken")), BELFRY_AUTH_REFUSED, kInstance,
     BELFRY_VERDICT_REAUTH | kReconnect, 0, "InvalidProviderToken"},
    {"A13_MissingProviderToken", refusal(403, "MissingProviderToken"), BELFRY_AUTH_REFUSED, kInstance, 0, 0,
     "MissingProviderToken"},
    {"A18_UnrelatedKeyIdInToken", refusal(403, "UnrelatedKeyIdInToken"), BELFRY_RETRY, kItem, kAgain, 10'000,
     "UnrelatedKeyIdInToken"},
    {"A19_BadEnvironmentKeyIdInToken", refusal(403, "BadEnvironmentKeyIdInToken"), BELFRY_AUTH_REFUSED, kInstance, 0, 0,
     "BadEnvironmentKeyIdInToken"},
    {"A19_BadEnvironmentKeyInToken", refusal(403, "BadEnvironmentKeyInToken"), BELFRY_AUTH_REFUSED, kInstance, 0, 0,
     "BadEnvironmentKeyInToken"},
    {"BadPath", refusal(404, "BadPath"), BELFRY_MISCONFIGURED, kInstance, 0, 0, "BadPath"},
    {"MethodNotAllowed", refusal(405, "MethodNotAllowed"), BELFRY_MISCONFIGURED, kInstance, 0, 0, "MethodNotAllowed"},
    {"A7_ExpiredToken", refusal(410, "ExpiredToken"), BELFRY_DEVICE_GONE, kItem, 0, 0, "ExpiredToken"},
    {"A5_Unregistered", refusal(410, "Unregistered"), BELFRY_DEVICE_GONE, kItem, 0, 0, "Unregistered"},
    {"A8_PayloadTooLarge", refusal(413, "PayloadTooLarge"), BELFRY_REFUSED, kPush, 0, 0, "PayloadTooLarge"},
    {"A14_TooManyProviderTokenUpdates", refusal(429, "TooManyProviderTokenUpdates"), BELFRY_RETRY, kItem, kAgain,
     60'000, "TooManyProviderTokenUpdates"},
    {"A15_TooManyRequests", refusal(429, "TooManyRequests"), BELFRY_RETRY, kItem, 0, 30'000, "TooManyRequests"},
    {"A15_with_retry_after",
     {429, R"({"reason":"TooManyRequests"})", "7", 0, 0, 0},
     BELFRY_RETRY,
     kItem,
     0,
     7'000,
     "TooManyRequests"},
    {"A16_InternalServerError", refusal(500, "InternalServerError"), BELFRY_RETRY, kItem, 0, 60'000,
     "InternalServerError"},
    {"A16_ServiceUnavailable", refusal(503, "ServiceUnavailable"), BELFRY_RETRY, kItem, 0, 60'000,
     "ServiceUnavailable"},
    {"A17_Shutdown", refusal(503, "Shutdown"), BELFRY_RETRY, kItem, kReconnect, 5'000, "Shutdown"},
    {"A20_SomethingNew", refusal(400, "SomethingNew"), BELFRY_REFUSED, kItem, 0, 0, "SomethingNew"},
    {"A20_teapot_without_body", refusal(418, ""), BELFRY_REFUSED, kItem, 0, 0, "HTTP 418"},
    {"A20_empty_500", refusal(500, ""), BELFRY_RETRY, kItem, 0, 60'000, "HTTP 500"},
    {"bare_410_keeps_the_device", refusal(410, ""), BELFRY_REFUSED, kItem, 0, 0, "HTTP 410"},
    {"bare_400_keeps_the_device", refusal(400, ""), BELFRY_REFUSED, kItem, 0, 0, "HTTP 400"},
    {"reason_of_another_status_keeps_the_device", refusal(404, "BadDeviceToken"), BELFRY_MISCONFIGURED, kInstance, 0, 0,
     "BadDeviceToken"},
    {"html", {502, "<html>Unregistered</html>", "", 0, 0, 0}, BELFRY_RETRY, kItem, 0, 60'000, "HTTP 502"},
    {"cut_in_its_middle", {410, R"({"reason":"Unregis)", "", 0, 0, 0}, BELFRY_RETRY, kItem, 0, 0, "HTTP 410"},
    {"cut_410", cut(refusal(410, "")), BELFRY_RETRY, kItem, 0, 0, "HTTP 410"},
    {"cut_400", cut(refusal(400, "")), BELFRY_RETRY, kItem, 0, 0, "HTTP 400"},
    {"cut_403", cut(refusal(403, "")), BELFRY_RETRY, kItem, 0, 0, "HTTP 403"},
    {"cut_404", cut(refusal(404, "")), BELFRY_RETRY, kItem, 0, 0, "HTTP 404"},
    {"cut_405", cut(refusal(405, "")), BELFRY_RETRY, kItem, 0, 0, "HTTP 405"},
    {"cut_413", cut(refusal(413, "")), BELFRY_REFUSED, kPush, 0, 0, "HTTP 413"},
    {"cut_429", cut(refusal(429, "")), BELFRY_RETRY, kItem, 0, 30'000, "HTTP 429"},
    {"cut_500", cut(refusal(500, "")), BELFRY_RETRY, kItem, 0, 60'000, "HTTP 500"},
    {"cut_behind_its_last_word", cut(refusal(410, "Unregistered")), BELFRY_DEVICE_GONE, kItem, 0, 0, "Unregistered"},
    {"reason_is_a_number", {400, R"({"reason":7})", "", 0, 0, 0}, BELFRY_REFUSED, kItem, 0, 0, "HTTP 400"},
    {"B2_ChannelNotRegistered", refusal(400, "ChannelNotRegistered"), BELFRY_REFUSED, kPush, 0, 0,
     "ChannelNotRegistered"},
    {"B_ServiceUnavailable_with_a_space", refusal(503, "Service Unavailable"), BELFRY_RETRY, kItem, 0, 60'000,
     "Service Unavailable"},
    {"redirect", refusal(302, ""), BELFRY_MISCONFIGURED, kInstance, 0, 0, "HTTP 302"},
    {"status_0", refusal(0, ""), BELFRY_FAULT, kItem, 0, 0, "HTTP 0"},
};

class ApnsAnswer : public testing::TestWithParam<Case> {};

TEST_P(ApnsAnswer, BecomesItsVerdict) {
    ApnsBed bed;
    ASSERT_TRUE(bed.prepare(R"({"headers":{"apns-topic":"com.a"},"payload":{}})"));
    const Case& c = GetParam();
    const Verdict verdict = bed.decode(c.answer);
    EXPECT_EQ(verdict.outcome, c.outcome);
    EXPECT_EQ(verdict.scope, c.scope);
    EXPECT_EQ(verdict.flags, c.flags);
    EXPECT_EQ(verdict.retry_after_ms, c.wait_ms);
    EXPECT_EQ(verdict.gone_unix_ms, 0);
    EXPECT_EQ(verdict.reason.substr(0, verdict.reason.find(':')), c.word);
    EXPECT_GT(verdict.reason.size(), std::string(c.word).size() + 10);
}
INSTANTIATE_TEST_SUITE_P(, ApnsAnswer, testing::ValuesIn(kCases), case_name<Case>);

TEST(ApnsVerdict, A1_AcceptedIsAccepted) {
    ApnsBed bed;
    ASSERT_TRUE(bed.prepare(R"({"payload":{}})"));
    const Verdict verdict = bed.decode({200, "", "", 0, 0, 0});
    EXPECT_EQ(verdict.outcome, BELFRY_ACCEPTED);
    EXPECT_EQ(verdict.flags, 0U);
}

TEST(ApnsVerdict, ATokenOfAnotherTopicIsSuspectOnlyForTheConfiguredTopic) {
    ApnsBed bed;
    const Answer answer = refusal(400, "DeviceTokenNotForTopic");
    ASSERT_TRUE(bed.prepare(R"({"payload":{}})"));
    EXPECT_EQ(bed.decode(answer).outcome, BELFRY_DEVICE_GONE);
    EXPECT_EQ(bed.decode(answer).flags, kSuspect);
    // com.example.app.voip, made of the push type, has tokens of its own.
    ASSERT_TRUE(bed.prepare(R"({"headers":{"apns-push-type":"voip"},"payload":{}})"));
    EXPECT_EQ(bed.decode(answer).outcome, BELFRY_REFUSED);
    EXPECT_EQ(bed.decode(answer).flags, 0U);
}

TEST(ApnsVerdict, A5_CarriesSinceWhenATokenIsDead) {
    ApnsBed bed;
    ASSERT_TRUE(bed.prepare(R"({"payload":{}})"));
    for (const char* reason : {"Unregistered", "ExpiredToken"}) {
        const Verdict verdict =
            bed.decode({410, R"({"reason":")" + std::string(reason) + R"(","timestamp":1700000000123})", "", 0, 0, 0});
        EXPECT_EQ(verdict.outcome, BELFRY_DEVICE_GONE);
        EXPECT_EQ(verdict.gone_unix_ms, 1'700'000'000'123);
    }
    EXPECT_EQ(bed.decode({410, R"({"reason":"Unregistered","timestamp":-5})", "", 0, 0, 0}).gone_unix_ms, 0);
    EXPECT_EQ(bed.decode({400, R"({"reason":"BadPriority","timestamp":5})", "", 0, 0, 0}).gone_unix_ms, 0);
}

TEST(ApnsVerdict, ADeviceKnownToBeOfAnEnvironmentThatIsServedNoMoreIsKept) {
    ApnsBed bed;  // production
    Answer answer = refusal(400, "BadDeviceToken");
    EXPECT_EQ(bed.decode(answer).outcome, BELFRY_DEVICE_GONE);
    answer.variant = 1;  // sandbox
    const auto verdict = bed.decode(answer);
    EXPECT_EQ(verdict.outcome, BELFRY_REFUSED);
    EXPECT_EQ(verdict.scope, BELFRY_SCOPE_ITEM);
    EXPECT_EQ(verdict.flags, 0U);
}

TEST(ApnsVerdict, BothEnvironmentsAreAskedBeforeATokenIsGivenUp) {
    ApnsBed bed(kApnsKeySection + kApnsTopic + R"(,"environment":"both")");
    ASSERT_TRUE(bed.prepare(R"({"payload":{}})")) << bed.trouble.text;
    const auto bad = [&](uint32_t variant) {
        Answer answer = refusal(400, "BadDeviceToken");
        answer.variant = variant;
        return bed.decode(answer);
    };
    for (const auto& [from, to] : {std::pair{0U, 3U}, std::pair{1U, 2U}}) {
        EXPECT_EQ(bad(from).outcome, BELFRY_RETRY);
        EXPECT_EQ(bad(from).flags, static_cast<uint32_t>(BELFRY_VERDICT_RESEND));
        EXPECT_EQ(bad(from).variant, to);
        EXPECT_EQ(bad(to).outcome, BELFRY_DEVICE_GONE);
        EXPECT_EQ(bad(to).flags, kSuspect);
        const Verdict accepted = bed.decode({200, "", "", 1, 0, to});
        EXPECT_EQ(accepted.outcome, BELFRY_ACCEPTED);
        EXPECT_EQ(accepted.flags, static_cast<uint32_t>(BELFRY_VERDICT_LEARN_VARIANT));
        EXPECT_EQ(accepted.variant, to & 1U);
    }
    Answer expired = refusal(403, "ExpiredProviderToken");
    expired.variant = 3;
    EXPECT_EQ(bed.decode(expired).variant, 3U) << "sent again where it was";
}

TEST(ApnsVerdict, B3_APushToAChannelThatStoresNothingIsSentAgainWithoutExpiration) {
    ApnsBed bed;
    const std::string content = R"({"payload":{"aps":{}}})";
    ASSERT_TRUE(bed.prepare(content, "", BELFRY_CONTENT_CHANNEL, "c", 0, 1'700'000'000'000));
    Answer bad = refusal(400, "BadExpirationDate");
    const Verdict first = bed.decode(bad);
    EXPECT_EQ(first.outcome, BELFRY_RETRY);
    EXPECT_EQ(first.flags, static_cast<uint32_t>(BELFRY_VERDICT_RESEND));
    EXPECT_EQ(first.variant, 2U);
    const Verdict accepted = bed.decode({200, "", "", 1, 0, 2});
    EXPECT_EQ(accepted.outcome, BELFRY_ACCEPTED);
    EXPECT_EQ(accepted.flags, 0U) << "there is no device that could learn it";
    bad.variant = 2;
    EXPECT_EQ(bed.decode(bad).outcome, BELFRY_REFUSED);
    bad.variant = 0;
    ASSERT_TRUE(bed.prepare(R"({"headers":{"apns-expiration":"7"},"payload":{}})", "", BELFRY_CONTENT_CHANNEL, "c"));
    EXPECT_EQ(bed.decode(bad).outcome, BELFRY_REFUSED) << "the caller's own expiration is the caller's mistake";
    ASSERT_TRUE(bed.prepare(content, "00", BELFRY_CONTENT_TOKENS, "", 0, 1'700'000'000'000));
    EXPECT_EQ(bed.decode(bad).outcome, BELFRY_REFUSED);
}

TEST(ApnsVerdict, AWrongConfiguredTopicStopsTheProviderNotThePushes) {
    ApnsBed bed;
    ASSERT_TRUE(bed.prepare(R"({"payload":{}})"));
    for (const char* reason : {"TopicDisallowed", "BadTopic", "MissingTopic"}) {
        const Verdict verdict = bed.decode(refusal(400, reason));
        EXPECT_EQ(verdict.outcome, BELFRY_MISCONFIGURED) << reason;
        EXPECT_EQ(verdict.scope, kInstance) << reason;
    }
    ASSERT_TRUE(bed.prepare(R"({"headers":{"apns-push-type":"voip"},"payload":{}})"));
    EXPECT_EQ(bed.decode(refusal(400, "TopicDisallowed")).outcome, BELFRY_REFUSED) << "the key may not do voip";
    for (const char* type : {"mdm", "brandnew"}) {
        ASSERT_TRUE(bed.prepare(R"({"headers":{"apns-push-type":")" + std::string(type) + R"("},"payload":{}})"));
        EXPECT_EQ(bed.decode(refusal(400, "BadTopic")).outcome, BELFRY_REFUSED) << type;
    }
}

TEST(ApnsVerdict, AForeignTopicIsNoWrongKeyOnceTheKeyWasAccepted) {
    ApnsBed bed;
    ASSERT_TRUE(bed.authorize());
    const Answer answer = refusal(403, "InvalidProviderToken");
    const std::string foreign = R"({"headers":{"apns-topic":"com.other.team"},"payload":{}})";
    ASSERT_TRUE(bed.prepare(foreign));
    EXPECT_EQ(bed.decode(answer).outcome, BELFRY_AUTH_REFUSED) << "nobody knows whether the key is good";
    EXPECT_EQ(bed.decode(Answer{}).outcome, BELFRY_ACCEPTED);
    const Verdict verdict = bed.decode(answer);
    EXPECT_EQ(verdict.outcome, BELFRY_REFUSED);
    EXPECT_EQ(verdict.scope, kPush);
    EXPECT_EQ(verdict.flags, 0U);
    ASSERT_TRUE(bed.prepare(R"({"payload":{}})"));
    EXPECT_EQ(bed.decode(answer).outcome, BELFRY_AUTH_REFUSED) << "the configured topic was good enough before";
    bed.host.clock.advance(std::chrono::minutes(30));
    ASSERT_TRUE(bed.authorize());
    ASSERT_TRUE(bed.prepare(foreign));
    EXPECT_EQ(bed.decode(answer).outcome, BELFRY_AUTH_REFUSED) << "of the new token nothing is known yet";
}

TEST(ApnsVerdict, AWrongBroadcastEndpointHoldsUpBroadcastsOnly) {
    ApnsBed bed;
    ASSERT_TRUE(bed.prepare(R"({"payload":{"aps":{}}})", "", BELFRY_CONTENT_CHANNEL, "c"));
    for (const int status : {404, 405, 302}) {
        const Verdict verdict = bed.decode(refusal(status, ""));
        EXPECT_EQ(verdict.outcome, BELFRY_RETRY) << status;
        EXPECT_EQ(verdict.scope, kItem) << status;
        EXPECT_NE(verdict.reason.find("broadcast_endpoint"), std::string::npos) << verdict.reason;
    }
}

TEST(ApnsVerdict, AKeyOfOneEnvironmentServesThatOneUnderBoth) {
    constexpr uint32_t kResend = BELFRY_VERDICT_RESEND;
    ApnsBed bed(kApnsKeySection + kApnsTopic + R"(,"environment":"both")");
    ASSERT_TRUE(bed.prepare(R"({"payload":{}})"));
    const auto said = [&](int status, const char* reason, uint32_t variant) {
        Answer answer = refusal(status, reason);
        answer.variant = variant;
        return bed.decode(answer);
    };
    const char* const kWrongKey = "BadEnvironmentKeyIdInToken";
    // A dead production token: sandbox cannot be asked, the device is kept.
    EXPECT_EQ(said(400, "BadDeviceToken", 0).flags, kResend);
    EXPECT_EQ(said(403, kWrongKey, 3).outcome, BELFRY_REFUSED);
    EXPECT_EQ(said(403, kWrongKey, 3).scope, kItem);
    EXPECT_EQ(said(400, "BadDeviceToken", 0).outcome, BELFRY_REFUSED) << "sandbox is known to be closed now";
    // A device that was learnt to be sandbox's is tried at the open one.
    EXPECT_EQ(said(403, kWrongKey, 1).flags, kResend);
    EXPECT_EQ(said(403, kWrongKey, 1).variant, 2U);
    EXPECT_EQ(said(400, "BadDeviceToken", 2).outcome, BELFRY_REFUSED);
    // No environment takes the key: somebody must act.
    EXPECT_EQ(said(403, kWrongKey, 2).outcome, BELFRY_AUTH_REFUSED);
    EXPECT_EQ(said(403, kWrongKey, 2).scope, kInstance);
    EXPECT_EQ(bed.decode({200, "", "", 0, 0, 1}).outcome, BELFRY_ACCEPTED);
    EXPECT_EQ(said(400, "BadDeviceToken", 0).flags, kResend) << "sandbox was opened";
}

TEST(ApnsVerdict, WhatIsRenderedPerDeviceIsRefusedPerDevice) {
    ApnsBed bed;
    ASSERT_TRUE(bed.prepare(R"({"payload":{}})", "00", BELFRY_CONTENT_TOKENS, "", BELFRY_CONTENT_HAS_HOLES));
    EXPECT_EQ(bed.decode(refusal(413, "PayloadTooLarge")).scope, kItem);
}

TEST(ApnsVerdict, TheWaitAfterServerErrorsIsConfigured) {
    ApnsBed bed(kApnsKeySection + kApnsTopic + R"(,"server_error_retry_s":900)");
    ASSERT_TRUE(bed.prepare(R"({"payload":{}})"));
    EXPECT_EQ(bed.decode(refusal(503, "ServiceUnavailable")).retry_after_ms, 900'000);
    Answer hinted = refusal(503, "ServiceUnavailable");
    hinted.retry_after = "20";
    EXPECT_EQ(bed.decode(hinted).retry_after_ms, 900'000) << "a hint does not make it shorter";
    hinted.retry_after = "1800";
    EXPECT_EQ(bed.decode(hinted).retry_after_ms, 1'800'000);
}

TEST(ApnsVerdict, AnUnknownReasonIsCutToReadableText) {
    ApnsBed bed;
    ASSERT_TRUE(bed.prepare(R"({"payload":{}})"));
    std::string long_one(99, 'x');
    for (int i = 0; i < 20; ++i) long_one += "\xd0\x9f";  // two bytes each: a cut in the middle would be no UTF-8
    const Verdict verdict = bed.decode(refusal(400, long_one.c_str()));
    EXPECT_EQ(verdict.reason.substr(0, 101), std::string(99, 'x') + ": ");
}

TEST(ApnsVerdict, OnePerItemInAnyMixture) {
    ApnsBed bed;
    ASSERT_TRUE(bed.prepare(R"({"payload":{}})"));
    std::vector<Answer> answers;
    for (int i = 0; i < 300; ++i) answers.push_back(i % 7 == 0 ? refusal(410, "Unregistered") : Answer{});
    const auto verdicts = bed.decode(answers);
    ASSERT_EQ(verdicts.size(), answers.size());
    for (uint32_t i = 0; i < verdicts.size(); ++i) {
        EXPECT_EQ(verdicts[i].item, i);
        EXPECT_EQ(verdicts[i].outcome, i % 7 == 0 ? BELFRY_DEVICE_GONE : BELFRY_ACCEPTED);
    }
}

}  // namespace
}  // namespace belfry::fakes
