// SPDX-License-Identifier: Apache-2.0
// Every answer that FCM is known to give: one verdict for each. Cases S and E carry the names of the vectors.
#include <array>

#include "fakes/fcm_bed.h"

namespace belfry::fakes {
namespace {

constexpr uint32_t kSuspect = BELFRY_VERDICT_SUSPECT, kRenew = BELFRY_VERDICT_REAUTH | BELFRY_VERDICT_RESEND;
constexpr int32_t kItem = BELFRY_SCOPE_ITEM, kPush = BELFRY_SCOPE_PUSH, kPlatform = BELFRY_SCOPE_PLATFORM,
                  kInstance = BELFRY_SCOPE_INSTANCE;

std::string detail(const std::string& type, const std::string& members) {
    return R"({"@type":"type.googleapis.com/)" + type + "\"," + members + "}";
}
std::string fcm(const std::string& code) {
    return detail("google.firebase.fcm.v1.FcmError", R"("errorCode":")" + code + "\"");
}
std::string bad_field(const std::string& field, const std::string& says = "wrong") {
    return detail("google.rpc.BadRequest",
                  R"("fieldViolations":[{"field":")" + field + R"(","description":")" + says + "\"}]");
}
std::string info(const std::string& reason) {
    return detail(
        "google.rpc.ErrorInfo",
        R"("reason":")" + reason + R"(","domain":"googleapis.com","metadata":{"service":"fcm.googleapis.com"})");
}
std::string quota(const std::string& says) {
    return detail("google.rpc.QuotaFailure", R"("violations":[{"subject":"s","description":")" + says + "\"}]");
}
std::string refusal(int status, const std::string& code, const std::string& message, const std::string& details = "") {
    return R"({"error":{"code":)" + std::to_string(status) + R"(,"message":")" + message + R"(","status":")" + code +
           "\"" + (details.empty() ? "" : ",\"details\":[" + details + "]") + "}}\n";
}
const std::string kHtml = "<!DOCTYPE html>\n<html lang=en>\n<title>Error</title>registration token UNREGISTERED</html>";
const std::string kAuthText = "Request had invalid authentication credentials.";
const std::string kNoOauthText =
    "Request is missing required authentication credential. Expected OAuth 2 access token, ...";

struct Case {
    const char* name;
    Answer answer;
    int32_t outcome, scope;
    uint32_t flags;
    int64_t wait_ms;
    const char* word;
    friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};

Answer json_answer(int status, const std::string& code, const std::string& message, const std::string& details = "") {
    return {status, refusal(status, code, message, details), "", 0, 0};
}
Answer with(Answer answer, const std::string& retry_after, int64_t date_unix_ms = 0) {
    answer.retry_after = retry_after;
    answer.date_unix_ms = date_unix_ms;
    return answer;
}
Answer cut(Answer answer) {
    answer.cut = true;
    return answer;
}
Answer again(Answer answer) {
    answer.resent = 1;
    return answer;
}

const Answer kBadToken = json_answer(
    400, "INVALID_ARGUMENT", "The registration token is not a valid FCM registration token", fcm("INVALID_ARGUMENT"));
const Answer kExpired = json_answer(401, "UNAUTHENTICATED", kAuthText, info("ACCESS_TOKEN_EXPIRED"));
const Answer kQuota = json_answer(429, "RESOURCE_EXHAUSTED", "...", fcm("QUOTA_EXCEEDED") + "," + quota("..."));
const Answer kBusy = json_answer(503, "UNAVAILABLE", "The service is currently unavailable.", fcm("UNAVAILABLE"));
constexpr int64_t kDate = 1'445'412'400'000;  // Wed, 21 Oct 2015 07:26:40 GMT

const Case kCases[] = {
    {"E1_unregistered", json_answer(404, "NOT_FOUND", "Requested entity was not found.", fcm("UNREGISTERED")),
     BELFRY_DEVICE_GONE, kItem, 0, 0, "UNREGISTERED"},
    {"E2_malformed_token", kBadToken, BELFRY_DEVICE_GONE, kItem, kSuspect, 0, "INVALID_TOKEN"},
    {"E3_no_target",
     json_answer(400, "INVALID_ARGUMENT", "Recipient of the message is not set.",
                 bad_field("message", "Recipient of the message is not set.") + "," + fcm("INVALID_ARGUMENT")),
     BELFRY_REFUSED, kPush, 0, 0, "INVALID_ARGUMENT"},
    {"E4_data_value_is_a_number",
     json_answer(400, "INVALID_ARGUMENT", "Invalid value at 'message.data[0].value' (TYPE_STRING), 12",
                 bad_field("message.data[0].value")),
     BELFRY_REFUSED, kPush, 0, 0, "INVALID_ARGUMENT"},
    {"E5_unknown_field",
     json_answer(400, "INVALID_ARGUMENT",
                 R"(Invalid JSON payload received. Unknown name \"toen\" at 'message': Cannot find field.)",
                 bad_field("message")),
     BELFRY_REFUSED, kPush, 0, 0, "INVALID_ARGUMENT"},
    {"E5_broken_json_without_details",
     json_answer(400, "INVALID_ARGUMENT", "Invalid JSON payload received. Unexpected token."), BELFRY_REFUSED, kPush, 0,
     0, "INVALID_ARGUMENT"},
    {"E6a_too_big", json_answer(400, "INVALID_ARGUMENT", "Android message is too big", fcm("INVALID_ARGUMENT")),
     BELFRY_REFUSED, kPlatform, 0, 0, "TOO_BIG"},
    {"E6b_too_large",
     json_answer(400, "INVALID_ARGUMENT", "Message is too large. The maximum is 4K (4096 bytes).",
                 fcm("INVALID_ARGUMENT")),
     BELFRY_REFUSED, kPlatform, 0, 0, "TOO_BIG"},
    {"E6c_too_big_beats_the_token_text",
     json_answer(400, "INVALID_ARGUMENT", "Message to this registration token is TOO BIG", fcm("INVALID_ARGUMENT")),
     BELFRY_REFUSED, kPlatform, 0, 0, "TOO_BIG"},
    {"E6d_html_413", {413, kHtml, "", 0, 0}, BELFRY_REFUSED, kPlatform, 0, 0, "TOO_BIG"},
    {"E7_token_field",
     json_answer(400, "INVALID_ARGUMENT", "Request contains an invalid argument.",
                 fcm("INVALID_ARGUMENT") + "," + bad_field("message.token", "Invalid registration token")),
     BELFRY_DEVICE_GONE, kItem, kSuspect, 0, "INVALID_TOKEN"},
    {"E7b_fid_field",
     json_answer(400, "INVALID_ARGUMENT", "Request contains an invalid argument.",
                 bad_field("message.fid") + "," + fcm("INVALID_ARGUMENT")),
     BELFRY_DEVICE_GONE, kItem, kSuspect, 0, "INVALID_TOKEN"},
    {"E7c_token_field_without_fcms_word",
     json_answer(400, "INVALID_ARGUMENT", "Invalid value", bad_field("message.token")), BELFRY_REFUSED, kItem, 0, 0,
     "INVALID_ARGUMENT"},
    {"E7d_token_and_another_field",
     json_answer(400, "INVALID_ARGUMENT", "Request contains an invalid argument.",
                 fcm("INVALID_ARGUMENT") + "," +
                     detail("google.rpc.BadRequest",
                            R"("fieldViolations":[{"field":"message.token"},{"field":"message.android.ttl"}])")),
     BELFRY_REFUSED, kPush, 0, 0, "INVALID_ARGUMENT"},
    {"E7e_unknown_text_keeps_the_device_and_the_push",
     json_answer(400, "INVALID_ARGUMENT", "Request contains an invalid argument.", fcm("INVALID_ARGUMENT")),
     BELFRY_REFUSED, kItem, 0, 0, "INVALID_ARGUMENT"},
    {"E7f_package_of_another_app",
     json_answer(400, "INVALID_ARGUMENT", "Package name does not match",
                 bad_field("message.android.restricted_package_name")),
     BELFRY_REFUSED, kItem, 0, 0, "INVALID_ARGUMENT"},
    {"E7g_token_text_in_a_bad_gateways_page", {400, kHtml, "", 0, 0}, BELFRY_REFUSED, kItem, 0, 0, "INVALID_ARGUMENT"},
    {"E8_sender_id_mismatch", json_answer(403, "PERMISSION_DENIED", "SenderId mismatch", fcm("SENDER_ID_MISMATCH")),
     BELFRY_DEVICE_GONE, kItem, kSuspect, 0, "SENDER_ID_MISMATCH"},
    {"E9_role_missing",
     json_answer(403, "PERMISSION_DENIED", "Permission 'cloudmessaging.messages.create' denied on resource"),
     BELFRY_AUTH_REFUSED, kInstance, 0, 0, "PERMISSION_DENIED"},
    {"E9b_api_disabled",
     json_answer(403, "PERMISSION_DENIED", "FCM API has not been used in project 1 before or it is disabled.",
                 info("SERVICE_DISABLED")),
     BELFRY_MISCONFIGURED, kInstance, 0, 0, "SERVICE_DISABLED"},
    {"E9c_proxys_403", {403, kHtml, "", 0, 0}, BELFRY_MISCONFIGURED, kInstance, 0, 0, "NOT_FCM"},
    {"E10_apns_key_bad",
     json_answer(401, "UNAUTHENTICATED", "Auth error from APNS or Web Push Service", fcm("THIRD_PARTY_AUTH_ERROR")),
     BELFRY_AUTH_REFUSED, kPlatform, 0, 0, "THIRD_PARTY_AUTH_ERROR"},
    {"E10b_older_name", json_answer(401, "UNAUTHENTICATED", "Auth error from APNS", fcm("APNS_AUTH_ERROR")),
     BELFRY_AUTH_REFUSED, kPlatform, 0, 0, "APNS_AUTH_ERROR"},
    {"E11_detail_beats_text", json_answer(401, "UNAUTHENTICATED", kNoOauthText, fcm("THIRD_PARTY_AUTH_ERROR")),
     BELFRY_AUTH_REFUSED, kPlatform, 0, 0, "THIRD_PARTY_AUTH_ERROR"},
    {"E12_expired_bearer", kExpired, BELFRY_AUTH_REFUSED, kInstance, kRenew, 0, "UNAUTHENTICATED"},
    {"E12b_again_after_the_refresh", again(kExpired), BELFRY_AUTH_REFUSED, kInstance, 0, 0, "UNAUTHENTICATED"},
    {"E13_garbage_bearer", json_answer(401, "UNAUTHENTICATED", kAuthText), BELFRY_AUTH_REFUSED, kInstance, kRenew, 0,
     "UNAUTHENTICATED"},
    {"E14_no_authorization", json_answer(401, "UNAUTHENTICATED", kNoOauthText, info("CREDENTIALS_MISSING")),
     BELFRY_AUTH_REFUSED, kInstance, kRenew, 0, "UNAUTHENTICATED"},
    {"E14b_html_401", {401, kHtml, "", 0, 0}, BELFRY_AUTH_REFUSED, kInstance, kRenew, 0, "UNAUTHENTICATED"},
    {"E15_quota_with_retry_after", with(kQuota, "30"), BELFRY_THROTTLED, kInstance, 0, 30'000, "QUOTA_EXCEEDED"},
    {"E15b_retry_after_is_a_date", with(kQuota, "Wed, 21 Oct 2015 07:28:00 GMT", kDate), BELFRY_THROTTLED, kInstance, 0,
     80'000, "QUOTA_EXCEEDED"},
    {"E15c_retry_after_is_garbage", with(kQuota, "soon"), BELFRY_THROTTLED, kInstance, 0, 60'000, "QUOTA_EXCEEDED"},
    {"E15d_device_rate",
     json_answer(429, "RESOURCE_EXHAUSTED", "Quota exceeded.",
                 quota("Device message rate exceeded") + "," + fcm("QUOTA_EXCEEDED")),
     BELFRY_THROTTLED, kItem, 0, 60'000, "QUOTA_EXCEEDED"},
    {"E15e_device_rate_of_the_project",
     json_answer(429, "RESOURCE_EXHAUSTED", "Quota exceeded.",
                 quota("Messages to devices per minute per project") + "," + fcm("QUOTA_EXCEEDED")),
     BELFRY_THROTTLED, kInstance, 0, 60'000, "QUOTA_EXCEEDED"},
    {"E16_quota_without_header", kQuota, BELFRY_THROTTLED, kInstance, 0, 60'000, "QUOTA_EXCEEDED"},
    {"E16b_html_429", {429, kHtml, "", 0, 0}, BELFRY_THROTTLED, kInstance, 0, 60'000, "QUOTA_EXCEEDED"},
    {"E17_internal", json_answer(500, "INTERNAL", "Internal error encountered.", fcm("INTERNAL")), BELFRY_RETRY, kItem,
     0, 10'000, "UNAVAILABLE"},
    {"E17b_empty_500", {500, "", "", 0, 0}, BELFRY_RETRY, kItem, 0, 10'000, "UNAVAILABLE"},
    {"E17c_502_html", {502, kHtml, "", 0, 0}, BELFRY_RETRY, kItem, 0, 10'000, "UNAVAILABLE"},
    {"E17d_504_html", {504, kHtml, "", 0, 0}, BELFRY_RETRY, kItem, 0, 10'000, "UNAVAILABLE"},
    {"E18_503_seconds", with(kBusy, "120"), BELFRY_THROTTLED, kInstance, 0, 120'000, "UNAVAILABLE"},
    {"E18b_503_date", with(kBusy, "Wed, 21 Oct 2015 07:28:40 GMT", kDate), BELFRY_THROTTLED, kInstance, 0, 120'000,
     "UNAVAILABLE"},
    {"E18c_503_date_in_the_past", with(kBusy, "Wed, 21 Oct 2015 07:00:00 GMT", kDate), BELFRY_THROTTLED, kInstance, 0,
     1'000, "UNAVAILABLE"},
    {"E18d_503_without", kBusy, BELFRY_RETRY, kItem, 0, 10'000, "UNAVAILABLE"},
    {"E19_html_404", {404, kHtml, "", 0, 0}, BELFRY_MISCONFIGURED, kInstance, 0, 0, "NOT_FOUND"},
    {"E20_404_without_details", json_answer(404, "NOT_FOUND", "Requested entity was not found."), BELFRY_MISCONFIGURED,
     kInstance, 0, 0, "NOT_FOUND"},
    {"E21_unimplemented", json_answer(501, "UNIMPLEMENTED", "Operation is not implemented, or supported, or enabled."),
     BELFRY_RETRY, kItem, 0, 10'000, "UNAVAILABLE"},
    {"unspecified_error", json_answer(400, "INVALID_ARGUMENT", "?", fcm("UNSPECIFIED_ERROR")), BELFRY_REFUSED, kItem, 0,
     0, "INVALID_ARGUMENT"},
    {"undocumented_409", {409, "{}", "", 0, 0}, BELFRY_REFUSED, kItem, 0, 0, "REFUSED"},
    {"timeout_408", {408, "", "", 0, 0}, BELFRY_RETRY, kItem, 0, 10'000, "TIMEOUT"},
    {"redirect", {302, "", "", 0, 0}, BELFRY_MISCONFIGURED, kInstance, 0, 0, "NOT_FCM"},
    {"a_portals_page_with_200", {200, kHtml, "", 0, 0}, BELFRY_MISCONFIGURED, kInstance, 0, 0, "NOT_FCM"},
    {"status_0", {0, "", "", 0, 0}, BELFRY_FAULT, kItem, 0, 0, "NONSENSE"},
    {"cut_in_its_middle",
     {404, R"({"error":{"details":[{"errorCode":"UNREGISTERED")", "", 0, 0},
     BELFRY_RETRY,
     kItem,
     0,
     0,
     "CUT"},
    {"cut_404", cut({404, "", "", 0, 0}), BELFRY_RETRY, kItem, 0, 0, "CUT"},
    {"cut_400", cut({400, R"({"error":{"cod)", "", 0, 0}), BELFRY_RETRY, kItem, 0, 0, "CUT"},
    {"cut_401_renews_nothing", cut({401, "", "", 0, 0}), BELFRY_RETRY, kItem, 0, 0, "CUT"},
    {"cut_403", cut({403, "<html>", "", 0, 0}), BELFRY_RETRY, kItem, 0, 0, "CUT"},
    {"cut_429_throttles_nobody_else", cut({429, R"({"err)", "7", 0, 0}), BELFRY_THROTTLED, kItem, 0, 7'000,
     "QUOTA_EXCEEDED"},
    {"cut_413", cut({413, "<ht", "", 0, 0}), BELFRY_REFUSED, kPlatform, 0, 0, "TOO_BIG"},
    {"cut_503_with_a_time", cut({503, "", "9", 0, 0}), BELFRY_THROTTLED, kInstance, 0, 9'000, "UNAVAILABLE"},
    {"cut_302", cut({302, "", "", 0, 0}), BELFRY_MISCONFIGURED, kInstance, 0, 0, "NOT_FCM"},
    {"cut_behind_its_last_word",
     cut(json_answer(404, "NOT_FOUND", "Requested entity was not found.", fcm("UNREGISTERED"))), BELFRY_DEVICE_GONE,
     kItem, 0, 0, "UNREGISTERED"},
    {"unregistered_of_another_api",
     json_answer(404, "NOT_FOUND", "x", detail("google.other.Error", R"("errorCode":"UNREGISTERED")")),
     BELFRY_MISCONFIGURED, kInstance, 0, 0, "NOT_FOUND"},
    {"error_is_a_string",
     {400, R"({"error":"INVALID_ARGUMENT"})", "", 0, 0},
     BELFRY_REFUSED,
     kItem,
     0,
     0,
     "INVALID_ARGUMENT"},
    {"json_of_another_shape", {400, R"([{"error":1},2])", "", 0, 0}, BELFRY_REFUSED, kItem, 0, 0, "INVALID_ARGUMENT"},
};

class FcmAnswer : public testing::TestWithParam<Case> {};

TEST_P(FcmAnswer, BecomesItsVerdict) {
    FcmBed bed;
    ASSERT_TRUE(bed.prepare(R"({"message":{}})"));
    const Case& c = GetParam();
    const Verdict verdict = bed.decode(c.answer);
    EXPECT_EQ(verdict.outcome, c.outcome);
    EXPECT_EQ(verdict.scope, c.scope);
    EXPECT_EQ(verdict.flags, c.flags);
    EXPECT_EQ(verdict.retry_after_ms, c.wait_ms);
    EXPECT_EQ(verdict.reason.substr(0, verdict.reason.find(':')), c.word);
    EXPECT_GT(verdict.reason.size(), std::string(c.word).size() + 10);
}
INSTANTIATE_TEST_SUITE_P(, FcmAnswer, testing::ValuesIn(kCases), case_name<Case>);

TEST(FcmAccepted, S1_SavesTheName) {
    FcmBed bed;
    ASSERT_TRUE(bed.prepare(R"({"message":{"notification":{"title":"t"}}})"));
    const Verdict verdict = bed.decode({200, R"({"name":"projects/demo/messages/0:1700000000000000%abc"})", "", 0, 0});
    EXPECT_EQ(verdict.outcome, BELFRY_ACCEPTED);
    EXPECT_EQ(verdict.message_id, "projects/demo/messages/0:1700000000000000%abc");
    EXPECT_EQ(bed.decode({200, "{\n  \"name\" : \"projects/demo/messages/17\"\n}\n", "", 0, 0}).message_id,
              "projects/demo/messages/17");
}

TEST(FcmAccepted, S2_DryRunIsAcceptedToo) {
    FcmBed bed;
    const auto request = bed.prepare(R"({"message":{"notification":{"title":"t"}}})", "ok-1", BELFRY_CONTENT_TOKENS, "",
                                     BELFRY_CONTENT_DRY_RUN);
    ASSERT_TRUE(request);
    EXPECT_EQ(request->body, R"({"validate_only":true,"message":{"token":"ok-1","notification":{"title":"t"}}})");
    EXPECT_EQ(bed.decode({200, R"({"name":"projects/demo/messages/fake_message_id"})", "", 0, 0}).outcome,
              BELFRY_ACCEPTED);
}

TEST(FcmAccepted, ANameThatCannotBeReadIsLeftOut) {
    FcmBed bed;
    for (const char* body : {"", "{}", R"({"name":)", R"({"name":7})", R"({"name":"cut)", R"({"name":"a\u0041"})"}) {
        const Verdict verdict = bed.decode({200, body, "", 0, 0});
        EXPECT_EQ(verdict.outcome, BELFRY_ACCEPTED) << body;
        EXPECT_EQ(verdict.message_id, "") << body;
        EXPECT_EQ(bed.decode(cut({200, body, "", 0, 0})).outcome, BELFRY_ACCEPTED) << body;
    }
}

TEST(FcmDecode, GivesOneVerdictPerItemInAnyMixture) {
    FcmBed bed;
    ASSERT_TRUE(bed.prepare(R"({"message":{}})"));
    std::vector<Answer> answers;
    for (int i = 0; i < 500; ++i) {
        answers.push_back(i % 7 == 0 ? kBadToken : Answer{200, R"({"name":"m)" + std::to_string(i) + "\"}", "", 0, 0});
    }
    const auto verdicts = bed.decode(answers);
    ASSERT_EQ(verdicts.size(), answers.size());
    for (uint32_t i = 0; i < verdicts.size(); ++i) {
        EXPECT_EQ(verdicts[i].item, i);
        EXPECT_EQ(verdicts[i].outcome, i % 7 == 0 ? BELFRY_DEVICE_GONE : BELFRY_ACCEPTED);
        if (i % 7 != 0) {
            EXPECT_EQ(verdicts[i].message_id, "m" + std::to_string(i));
        }
    }
}

TEST(FcmDecode, TopicsHaveNoDeviceToGiveUp) {
    FcmBed bed;
    ASSERT_TRUE(bed.prepare(R"({"message":{}})", "", BELFRY_CONTENT_TOPIC, "news"));
    for (const Answer& answer : {kBadToken, kCases[0].answer, kCases[4].answer}) {
        const Verdict verdict = bed.decode(answer);
        EXPECT_EQ(verdict.outcome, BELFRY_REFUSED);
        EXPECT_EQ(verdict.scope, kPush);
        EXPECT_EQ(verdict.flags, 0U);
    }
}

TEST(FcmDecode, ARenderedPayloadSaysNothingAboutTheOthers) {
    FcmBed bed;
    ASSERT_TRUE(bed.prepare(R"({"message":{}})", "t", BELFRY_CONTENT_TOKENS, "", BELFRY_CONTENT_HAS_HOLES));
    const Verdict verdict = bed.decode(json_answer(400, "INVALID_ARGUMENT", "x", bad_field("message.android.ttl")));
    EXPECT_EQ(verdict.outcome, BELFRY_REFUSED);
    EXPECT_EQ(verdict.scope, kItem);
}

TEST(FcmDecode, QuotesFcmWithinBoundsAndWholeCharacters) {
    FcmBed bed;
    std::string says = "x";
    for (int i = 0; i < 1000; ++i) says += "\xC3\xA9";
    const Verdict verdict = bed.decode(json_answer(400, "INVALID_ARGUMENT", says, bad_field("message.android.ttl")));
    EXPECT_LT(verdict.reason.size(), 600U);
    EXPECT_TRUE(json::valid_utf8(verdict.reason));
    EXPECT_NE(verdict.reason.find("field message.android.ttl"), std::string::npos);
}

}  // namespace
}  // namespace belfry::fakes
