// SPDX-License-Identifier: Apache-2.0
// The reply tables of the four services, row by row.
#include "fakes/webpush_bed.h"

namespace belfry::fakes {
namespace {

constexpr uint32_t kSuspect = BELFRY_VERDICT_SUSPECT;

struct Row {
    std::string name;
    WebPushBed::Answer answer;
    int32_t outcome;
    int32_t scope = BELFRY_SCOPE_ITEM;
    uint32_t flags = 0;
    int64_t wait_ms = 0;
};

std::string mozilla(int status, int number, const std::string& message) {
    return R"({"code":)" + std::to_string(status) + R"(,"errno":)" + std::to_string(number) +
           R"(,"error":"E","message":")" + message + R"(","more_info":"http://x"})";
}

class WebPushAnswer : public testing::TestWithParam<Row> {};

TEST_P(WebPushAnswer, BecomesItsVerdict) {
    WebPushBed bed;
    const auto verdict = bed.decode(GetParam().answer);
    EXPECT_EQ(verdict.outcome, GetParam().outcome) << verdict.reason;
    EXPECT_EQ(verdict.scope, GetParam().scope) << verdict.reason;
    EXPECT_EQ(verdict.flags, GetParam().flags) << verdict.reason;
    EXPECT_EQ(verdict.retry_after_ms, GetParam().wait_ms) << verdict.reason;
    if (verdict.outcome != BELFRY_ACCEPTED) {
        EXPECT_NE(verdict.reason, "");
    }
    for (const char c : verdict.reason) EXPECT_TRUE(c >= 0x20 && c < 0x7F);
    EXPECT_LT(verdict.reason.size(), 300U);
}

const std::string kNotOurKey =
    "the VAPID credentials in the authorization header do not correspond to the credentials used to create the "
    "subscriptions.\n";
const std::pair<std::string, std::string> kWns = {"x-wns-debug-trace", "BN3"};

INSTANTIATE_TEST_SUITE_P(
    Fcm, WebPushAnswer,
    testing::Values(
        Row{"created", {201, ""}, BELFRY_ACCEPTED}, Row{"ok", {200, ""}, BELFRY_ACCEPTED},
        Row{"accepted", {202, ""}, BELFRY_ACCEPTED},
        Row{"bad_request", {400, "UnauthorizedRegistration"}, BELFRY_REFUSED},
        Row{"bad_format", {400, "InvalidTokenFormat"}, BELFRY_REFUSED},
        Row{"not_registered", {410, "NotRegistered"}, BELFRY_DEVICE_GONE},
        Row{"bad_audience", {403, "aud claim must contain the origin"}, BELFRY_AUTH_REFUSED, BELFRY_SCOPE_ORIGIN},
        Row{"unauthorized", {401, ""}, BELFRY_AUTH_REFUSED, BELFRY_SCOPE_ORIGIN},
        Row{"other_key", {403, kNotOurKey}, BELFRY_DEVICE_GONE, BELFRY_SCOPE_ITEM, kSuspect},
        Row{"bad_token", {403, "invalid JWT provided"}, BELFRY_AUTH_REFUSED, BELFRY_SCOPE_ORIGIN},
        Row{"not_found",
            {404, "A valid push subscription endpoint should be specified"},
            BELFRY_DEVICE_GONE,
            BELFRY_SCOPE_ITEM,
            kSuspect},
        Row{"gone", {410, "push subscription has unsubscribed or expired.\n"}, BELFRY_DEVICE_GONE},
        Row{"too_large", {413, ""}, BELFRY_REFUSED},
        Row{"throttled", {429, "", {{"retry-after", "7"}}}, BELFRY_THROTTLED, BELFRY_SCOPE_ORIGIN, 0, 7000},
        Row{"another_api", {401, R"({"error":{"code":401,"status":"UNAUTHENTICATED"}})"}, BELFRY_REFUSED},
        Row{"wrong_method", {405, ""}, BELFRY_RETRY}, Row{"broken", {500, "<html>"}, BELFRY_RETRY},
        Row{"bad_gateway", {502, ""}, BELFRY_RETRY}, Row{"unavailable", {503, ""}, BELFRY_RETRY}),
    [](const auto& at) { return at.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Mozilla, WebPushAnswer,
    testing::Values(
        Row{"errno_101", {400, mozilla(400, 101, "Missing Crypto Keys")}, BELFRY_REFUSED},
        Row{"errno_102", {404, mozilla(404, 102, "Invalid token")}, BELFRY_DEVICE_GONE, BELFRY_SCOPE_ITEM, kSuspect},
        Row{"errno_103", {410, mozilla(410, 103, "No such user")}, BELFRY_DEVICE_GONE},
        Row{"errno_104", {413, mozilla(413, 104, "Too large")}, BELFRY_REFUSED},
        Row{"errno_105", {410, mozilla(410, 105, "User deleted")}, BELFRY_DEVICE_GONE},
        Row{"errno_106", {410, mozilla(410, 106, "No such subscription")}, BELFRY_DEVICE_GONE},
        Row{"errno_108", {400, mozilla(400, 108, "Router type is invalid")}, BELFRY_REFUSED},
        Row{"errno_109_mismatch",
            {401, mozilla(401, 109, "VAPID public key mismatch")},
            BELFRY_DEVICE_GONE,
            BELFRY_SCOPE_ITEM,
            kSuspect},
        Row{"errno_109_missing",
            {401, mozilla(401, 109, "Missing VAPID public key")},
            BELFRY_AUTH_REFUSED,
            BELFRY_SCOPE_ORIGIN},
        Row{"errno_109_audience",
            {401, mozilla(401, 109, "Invalid VAPID audience")},
            BELFRY_AUTH_REFUSED,
            BELFRY_SCOPE_ORIGIN},
        Row{"errno_109_expiry",
            {401, mozilla(401, 109, "Invalid VAPID expiry")},
            BELFRY_AUTH_REFUSED,
            BELFRY_SCOPE_ORIGIN},
        Row{"errno_109_too_long",
            {401, mozilla(401, 109, "The VAPID token expiration is too long")},
            BELFRY_AUTH_REFUSED,
            BELFRY_SCOPE_ORIGIN},
        Row{"errno_109_scheme",
            {401, mozilla(401, 109, "Unknown auth scheme")},
            BELFRY_AUTH_REFUSED,
            BELFRY_SCOPE_ORIGIN},
        Row{"errno_109_token",
            {401, mozilla(401, 109, "Invalid VAPID token: x")},
            BELFRY_AUTH_REFUSED,
            BELFRY_SCOPE_ORIGIN},
        Row{"errno_110", {400, mozilla(400, 110, "Encryption")}, BELFRY_REFUSED},
        Row{"errno_111", {400, mozilla(400, 111, "Missing TTL")}, BELFRY_REFUSED},
        Row{"errno_112", {400, mozilla(400, 112, "Invalid TTL")}, BELFRY_REFUSED},
        Row{"errno_114", {400, mozilla(400, 114, "Negative TTL")}, BELFRY_REFUSED},
        Row{"errno_null_400", {400, R"({"code":400,"errno":null,"error":"Bad Request"})"}, BELFRY_REFUSED},
        Row{"errno_null_500", {500, R"({"code":500,"errno":null,"error":"Internal"})"}, BELFRY_RETRY},
        Row{"errno_null_503", {503, R"({"code":503,"error":"Unavailable"})"}, BELFRY_RETRY},
        Row{"errno_113", {400, mozilla(400, 113, "Invalid topic")}, BELFRY_REFUSED},
        Row{"errno_201",
            {503, mozilla(503, 201, "Back off"), {{"retry-after", "120"}}},
            BELFRY_THROTTLED,
            BELFRY_SCOPE_ORIGIN,
            0,
            120'000},
        Row{"errno_202", {503, mozilla(503, 202, "Retry")}, BELFRY_RETRY},
        Row{"errno_900", {502, mozilla(502, 900, "Bridge")}, BELFRY_RETRY},
        Row{"errno_901", {502, mozilla(502, 901, "Bridge")}, BELFRY_RETRY},
        Row{"errno_902", {502, mozilla(502, 902, "Bridge")}, BELFRY_RETRY},
        Row{"errno_903", {502, mozilla(502, 903, "Bridge")}, BELFRY_RETRY},
        Row{"errno_999", {500, mozilla(500, 999, "Unknown")}, BELFRY_RETRY},
        Row{"moved", {301, "", {{"location", "http://127.0.0.1/"}}}, BELFRY_REFUSED}),
    [](const auto& at) { return at.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Apple, WebPushAnswer,
    testing::Values(
        Row{"bad_ttl", {400, R"({"reason":"BadTtl"})"}, BELFRY_REFUSED},
        Row{"bad_urgency", {400, R"({"reason":"BadUrgency"})"}, BELFRY_REFUSED},
        Row{"bad_request", {400, R"({"reason":"BadWebPushRequest"})"}, BELFRY_REFUSED},
        Row{"not_found", {404, R"({"reason":"NotFound"})"}, BELFRY_DEVICE_GONE, BELFRY_SCOPE_ITEM, kSuspect},
        Row{"bad_topic", {400, R"({"reason":"BadWebPushTopic"})"}, BELFRY_REFUSED},
        Row{"other_key_400",
            {400, R"({"reason":"VapidPkHashMismatch"})"},
            BELFRY_DEVICE_GONE,
            BELFRY_SCOPE_ITEM,
            kSuspect},
        Row{"other_key_403",
            {403, R"({"reason":"VapidPkHashMismatch"})"},
            BELFRY_DEVICE_GONE,
            BELFRY_SCOPE_ITEM,
            kSuspect},
        Row{"bad_token", {403, R"({"reason":"BadJwtToken"})"}, BELFRY_AUTH_REFUSED, BELFRY_SCOPE_ORIGIN},
        Row{"bad_key", {403, R"({"reason":"BadVapidPublicKey"})"}, BELFRY_AUTH_REFUSED, BELFRY_SCOPE_ORIGIN},
        Row{"gone", {410, R"({"reason":"Unregistered"})"}, BELFRY_DEVICE_GONE},
        Row{"too_large", {413, R"({"reason":"PayloadTooLarge"})"}, BELFRY_REFUSED},
        Row{"too_many_for_one", {429, R"({"reason":"TooManyRequests"})"}, BELFRY_RETRY, BELFRY_SCOPE_ITEM, 0, 60'000},
        Row{"broken", {500, R"({"reason":"InternalServerError"})"}, BELFRY_RETRY},
        Row{"unavailable", {503, R"({"reason":"ServiceUnavailable"})"}, BELFRY_RETRY}),
    [](const auto& at) { return at.param.name; });

WebPushBed::Answer cut(int32_t status, const std::string& body = "",
                       const std::vector<std::pair<std::string, std::string>>& headers = {}) {
    WebPushBed::Answer answer{status, body, headers};
    answer.cut = true;
    return answer;
}

INSTANTIATE_TEST_SUITE_P(
    BrokenOff, WebPushAnswer,
    testing::Values(Row{"created", cut(201), BELFRY_ACCEPTED}, Row{"bad_request", cut(400), BELFRY_RETRY},
                    Row{"unauthorized", cut(401, R"({"code":401,"err)"), BELFRY_RETRY},
                    Row{"half_of_another_key", {403, R"({"reason":"VapidPk)"}, BELFRY_RETRY},
                    Row{"forbidden", cut(403, "the VAPID cred"), BELFRY_RETRY},
                    Row{"too_many", cut(429), BELFRY_RETRY, BELFRY_SCOPE_ITEM, 0, 60'000},
                    Row{"gone", cut(410), BELFRY_DEVICE_GONE},
                    Row{"not_found", cut(404), BELFRY_DEVICE_GONE, BELFRY_SCOPE_ITEM, kSuspect},
                    Row{"too_large", cut(413), BELFRY_REFUSED},
                    Row{"windows_403", cut(403, "", {kWns}), BELFRY_DEVICE_GONE, BELFRY_SCOPE_ITEM, kSuspect},
                    Row{"behind_its_last_word", cut(403, R"({"reason":"BadJwtToken"})"), BELFRY_AUTH_REFUSED,
                        BELFRY_SCOPE_ORIGIN}),
    [](const auto& at) { return at.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Windows, WebPushAnswer,
    testing::Values(Row{"ok", {200, "", {{"x-wns-status", "received"}}}, BELFRY_ACCEPTED},
                    Row{"channel_throttled", {201, "", {{"x-wns-status", "channelthrottled"}}}, BELFRY_ACCEPTED},
                    Row{"app_throttled",
                        {406, "", {{"x-wns-status", "appthrottled"}}},
                        BELFRY_THROTTLED,
                        BELFRY_SCOPE_ORIGIN,
                        0,
                        60'000},
                    Row{"throttled_429", {429, "", {kWns}}, BELFRY_THROTTLED, BELFRY_SCOPE_ORIGIN, 0, 60'000},
                    Row{"unavailable", {503, "", {kWns}}, BELFRY_RETRY},
                    Row{"dropped", {201, "", {{"x-wns-status", "dropped"}}}, BELFRY_ACCEPTED},
                    Row{"bad_request", {400, "", {{"x-wns-error-description", "Bad header"}}}, BELFRY_REFUSED},
                    Row{"unproved_401", {401, "", {kWns}}, BELFRY_AUTH_REFUSED, BELFRY_SCOPE_ORIGIN},
                    Row{"other_key_403", {403, "", {kWns}}, BELFRY_DEVICE_GONE, BELFRY_SCOPE_ITEM, kSuspect},
                    Row{"not_found", {404, "", {kWns}}, BELFRY_DEVICE_GONE, BELFRY_SCOPE_ITEM, kSuspect},
                    Row{"gone", {410, "", {kWns}}, BELFRY_DEVICE_GONE},
                    Row{"wrong_method", {405, "", {kWns}}, BELFRY_MISCONFIGURED, BELFRY_SCOPE_ORIGIN},
                    Row{"throttled_406",
                        {406, "", {kWns, {"retry-after", "900"}}},
                        BELFRY_THROTTLED,
                        BELFRY_SCOPE_ORIGIN,
                        0,
                        900'000},
                    Row{"throttled_hint",
                        {406, "", {kWns, {"x-wns-continue-after", "30"}}},
                        BELFRY_THROTTLED,
                        BELFRY_SCOPE_ORIGIN,
                        0,
                        30'000},
                    Row{"too_large", {413, "", {kWns}}, BELFRY_REFUSED},
                    Row{"broken", {500, "", {kWns}}, BELFRY_RETRY}),
    [](const auto& at) { return at.param.name; });

constexpr int64_t kOct21 = 1'792'567'650'000;  // Wed, 21 Oct 2026 07:27:30 GMT

INSTANTIATE_TEST_SUITE_P(
    Hints, WebPushAnswer,
    testing::Values(
        Row{"date",
            {429, "", {{"retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"}}, kOct21},
            BELFRY_THROTTLED,
            BELFRY_SCOPE_ORIGIN,
            0,
            30'000},
        Row{"words", {429, "", {{"retry-after", "abc"}}}, BELFRY_THROTTLED, BELFRY_SCOPE_ORIGIN, 0, 60'000},
        Row{"negative", {429, "", {{"retry-after", "-5"}}}, BELFRY_THROTTLED, BELFRY_SCOPE_ORIGIN, 0, 60'000},
        Row{"absurd", {429, "", {{"retry-after", "1000000000000"}}}, BELFRY_THROTTLED, BELFRY_SCOPE_ORIGIN, 0, 60'000},
        Row{"a_day", {429, "", {{"retry-after", "86400"}}}, BELFRY_THROTTLED, BELFRY_SCOPE_ORIGIN, 0, 3'600'000},
        Row{"html_500", {500, "<html><body>oops</body></html>"}, BELFRY_RETRY},
        Row{"control_bytes", {400, "a\r\nb\x01\xff" + std::string(4000, 'x')}, BELFRY_REFUSED},
        Row{"teapot", {418, ""}, BELFRY_REFUSED}, Row{"timeout", {408, ""}, BELFRY_RETRY},
        Row{"early", {425, ""}, BELFRY_RETRY}, Row{"nonsense", {99, ""}, BELFRY_FAULT}),
    [](const auto& at) { return at.param.name; });

TEST(WebPushRefusedToken, IsReplacedOnceIfItIsOld) {
    WebPushBed bed;
    const Browser browser(bed.services);
    const std::string payload = R"({"payload":"x"})";
    const auto token = [&] { return bed.one(browser, payload).headers.at("authorization"); };
    const std::string first = token();
    const WebPushBed::Answer refusal{403, "invalid JWT provided"};
    EXPECT_EQ(bed.decode(refusal).flags, 0U) << "a token of this minute would be refused again";
    EXPECT_EQ(token(), first);
    bed.host.clock.advance(std::chrono::minutes(59));
    EXPECT_EQ(bed.decode(refusal).flags, 0U) << "Apple wants none to be replaced within an hour";
    bed.host.clock.advance(std::chrono::minutes(2));
    EXPECT_EQ(bed.decode({403, "x", {}, 0, "https://elsewhere.test"}).flags, 0U);
    constexpr auto kAgain = static_cast<uint32_t>(BELFRY_VERDICT_RESEND);
    EXPECT_EQ(bed.decode(refusal).flags, kAgain);
    EXPECT_EQ(bed.decode(refusal).flags, kAgain) << "a request that went out beside it";
    const std::string second = token();
    EXPECT_NE(second, first);
    EXPECT_EQ(bed.decode(refusal).flags, kAgain) << "another, answered late";
    EXPECT_EQ(bed.decode({403, "invalid JWT provided", {}, 0, refusal.origin, 1}).flags, 0U) << "refused as well";
    bed.host.clock.advance(std::chrono::minutes(2));
    EXPECT_EQ(bed.decode(refusal).flags, 0U);
    EXPECT_EQ(token(), second);
}

// WNS gives the same 401 for a bad token and for a subscription of another key.
TEST(WebPushRefusedToken, OfWindowsIsTheSubscriptionsFaultOnlyIfAnotherTookTheToken) {
    WebPushBed bed;
    const Browser browser(bed.services, "https://db5p.notify.windows.com/w/?token=x");
    const auto device = bed.validate(browser.subscription());
    ASSERT_TRUE(device) << bed.trouble.text;
    const auto request = [&] {
        return bed.encode({{device->token, device->data, device->variant, R"({"payload":"x"})"}});
    };
    ASSERT_EQ(request().requests.size(), 1U);
    WebPushBed::Answer refusal{401, "", {kWns}, 0, "https://db5p.notify.windows.com", 0, device->variant};
    EXPECT_EQ(bed.decode(refusal).outcome, BELFRY_AUTH_REFUSED);
    WebPushBed::Answer taken = refusal;
    taken.status = 201;
    EXPECT_EQ(bed.decode(taken).outcome, BELFRY_ACCEPTED);
    const auto other_key = bed.decode(refusal);
    EXPECT_EQ(other_key.outcome, BELFRY_DEVICE_GONE);
    EXPECT_EQ(other_key.flags, kSuspect);
    refusal.origin = "https://am3p.notify.windows.com";
    EXPECT_EQ(bed.decode(refusal).outcome, BELFRY_AUTH_REFUSED) << "that one never took a token";
    // The clock was wrong when the token was made: a newer one knows nothing yet.
    refusal.origin = taken.origin;
    bed.host.clock.advance(std::chrono::hours(12));
    ASSERT_EQ(request().requests.size(), 1U);
    EXPECT_EQ(bed.decode(refusal).outcome, BELFRY_AUTH_REFUSED);
}

}  // namespace
}  // namespace belfry::fakes
