// SPDX-License-Identifier: Apache-2.0
// Every answer that HMS is known to give: one verdict per device. Cases A carry the names of hms.md section 17.2, the
// others those of its sections.
#include <iterator>

#include "codes.h"
#include "fakes/hms_bed.h"

namespace belfry::fakes {
namespace {

constexpr uint32_t kSuspect = BELFRY_VERDICT_SUSPECT, kResend = BELFRY_VERDICT_RESEND, kReauth = BELFRY_VERDICT_REAUTH,
                   kRenew = kReauth | kResend, kLearn = BELFRY_VERDICT_LEARN_VARIANT;
constexpr int32_t kItem = BELFRY_SCOPE_ITEM, kPush = BELFRY_SCOPE_PUSH, kInstance = BELFRY_SCOPE_INSTANCE;
constexpr const char* kData = R"({"message":{"data":"x"}})";

Answer coded(const std::string& code, int status = 200, const std::string& msg = "\"said\"") {
    return {status, R"({"code":)" + code + R"(,"msg":)" + msg + R"(,"requestId":"77"})", "", 0, 0, 0, {"T1"}};
}
Answer text(int code, int status = 200) {
    return coded("\"" + std::to_string(code) + "\"", status);
}
Answer bare(int status, const std::string& body = "", const std::string& retry_after = "") {
    return {status, body, retry_after, 0, 0, 0, {"T1"}};
}
Answer cut(Answer answer) {
    answer.cut = true;
    return answer;
}
Answer again(Answer answer) {
    answer.resent = 1;
    return answer;
}
Answer to(std::vector<std::string> tokens, Answer answer) {
    answer.tokens = std::move(tokens);
    return answer;
}

struct Case {
    const char* name;
    Answer answer;
    int32_t outcome, scope;
    uint32_t flags;
    int64_t wait_ms;
    friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};

const Case kCases[] = {
    {"A1_success", text(80000000), BELFRY_ACCEPTED, kItem, 0, 0},
    {"A2_success_as_number", coded("80000000"), BELFRY_ACCEPTED, kItem, 0, 0},
    {"S8_80100001_parameter", text(80100001), BELFRY_REFUSED, kPush, 0, 0},
    {"S8_80100002_one_device", text(80100002), BELFRY_REFUSED, kPush, 0, 0},
    {"A18_80100003_structure", text(80100003), BELFRY_REFUSED, kPush, 0, 0},
    {"S8_80100004_ttl", text(80100004, 400), BELFRY_REFUSED, kPush, 0, 0},
    {"S8_80100013_collapse_key", text(80100013), BELFRY_REFUSED, kPush, 0, 0},
    {"A18_80100016_sensitive", text(80100016), BELFRY_REFUSED, kPush, 0, 0},
    {"S8_80100017_topic_messages", text(80100017), BELFRY_RETRY, kItem, 0, 60'000},
    {"S8_80100018_body", text(80100018), BELFRY_REFUSED, kPush, 0, 0},
    {"S9_80100022_image", text(80100022), BELFRY_REFUSED, kPush, 0, 0},
    {"A11_80200001_token", text(80200001), BELFRY_AUTH_REFUSED, kInstance, kRenew, 0},
    {"A11_again_with_a_fresh_token", again(text(80200001, 401)), BELFRY_AUTH_REFUSED, kInstance, kReauth, 0},
    {"A10_80200003_expired", text(80200003), BELFRY_AUTH_REFUSED, kInstance, kRenew, 0},
    {"S9_80200005_expired", text(80200005, 401), BELFRY_AUTH_REFUSED, kInstance, kRenew, 0},
    {"A17_80300002_no_right", text(80300002), BELFRY_MISCONFIGURED, kInstance, 0, 0},
    {"A6_80300007_all_bad", coded("\"80300007\"", 200, "\"All the tokens are invalid\""), BELFRY_REFUSED, kItem,
     kSuspect | kLearn, 0},
    {"A18_80300008_size", text(80300008), BELFRY_REFUSED, kPush, 0, 0},
    {"A14_80300010_one_token", text(80300010), BELFRY_REFUSED, kPush, 0, 0},
    {"S8_80300011_priority", text(80300011), BELFRY_REFUSED, kPush, 0, 0},
    {"A17_80300013_receipt", text(80300013), BELFRY_MISCONFIGURED, kInstance, 0, 0},
    {"S9_80300029_test_messages", text(80300029), BELFRY_REFUSED, kPush, 0, 0},
    {"S9_80300030_test_devices", text(80300030), BELFRY_REFUSED, kPush, 0, 0},
    {"S9_80300036_jwt_life", text(80300036), BELFRY_MISCONFIGURED, kInstance, 0, 0},
    {"S9_80300037_penalty", text(80300037), BELFRY_MISCONFIGURED, kInstance, 0, 0},
    {"S8_80600003_oauth_service", text(80600003), BELFRY_RETRY, kItem, 0, 2'000},
    {"S8_80600003_again_is_no_refused_credential", again(text(80600003, 500)), BELFRY_RETRY, kItem, 0, 2'000},
    {"S8_80600005_unknown_806", text(80600005), BELFRY_RETRY, kItem, 0, 2'000},
    {"A13_81000001_internal", text(81000001), BELFRY_RETRY, kItem, 0, 1'000},
    {"A13_on_500", text(81000001, 500), BELFRY_RETRY, kItem, 0, 1'000},
    {"S8_unknown_8010", text(80100099), BELFRY_REFUSED, kItem, 0, 0},
    {"S8_unknown_8020", text(80200099), BELFRY_AUTH_REFUSED, kInstance, kRenew, 0},
    {"S8_unknown_8030", text(80300099), BELFRY_REFUSED, kItem, 0, 0},
    {"S8_unknown_81", text(81000099), BELFRY_RETRY, kItem, 0, 1'000},
    {"A16_unknown", text(80999999), BELFRY_REFUSED, kItem, 0, 0},
    {"S8_unknown_82", text(82000012), BELFRY_REFUSED, kItem, 0, 0},
    {"S7_a_code_counts_more_than_503", text(80300008, 503), BELFRY_REFUSED, kPush, 0, 0},
    {"S7_a_gateways_code_on_503", coded("1000", 503), BELFRY_THROTTLED, kInstance, 0, 10'000},
    {"S7_a_gateways_404_on_502", coded("404", 502), BELFRY_RETRY, kItem, 0, 1'000},
    {"S7_a_gateways_401_on_500", text(401, 500), BELFRY_RETRY, kItem, 0, 1'000},
    {"S7_seven_digits_on_503", coded("9999999", 503), BELFRY_THROTTLED, kInstance, 0, 10'000},
    {"S7_eight_digits_on_503", coded("10000000", 503), BELFRY_REFUSED, kItem, 0, 0},
    {"A12_503_empty", bare(503), BELFRY_THROTTLED, kInstance, 0, 10'000},
    {"A12_503_html", bare(503, "<html>busy</html>"), BELFRY_THROTTLED, kInstance, 0, 10'000},
    {"S7_503_with_a_time", bare(503, "", "7"), BELFRY_THROTTLED, kInstance, 0, 7'000},
    {"S7_429", bare(429), BELFRY_THROTTLED, kInstance, 0, 10'000},
    {"A15_500_html", bare(500, "<html>"), BELFRY_RETRY, kItem, 0, 1'000},
    {"S7_502", bare(502, "<html>"), BELFRY_RETRY, kItem, 0, 1'000},
    {"A15_200_empty", bare(200), BELFRY_RETRY, kItem, kResend, 0},
    {"A15_200_cut", bare(200, R"({"code":"8000)"), BELFRY_RETRY, kItem, kResend, 0},
    {"A15_200_twice", again(bare(200)), BELFRY_FAULT, kItem, 0, 0},
    {"cut_200", cut(bare(200)), BELFRY_RETRY, kItem, 0, 0},
    {"cut_200_twice", again(cut(bare(200, R"({"code":"80)"))), BELFRY_RETRY, kItem, 0, 0},
    {"cut_400", cut(bare(400)), BELFRY_RETRY, kItem, 0, 0},
    {"half_of_a_400", bare(400, R"({"code":"80)"), BELFRY_RETRY, kItem, 0, 0},
    {"cut_401_renews_nothing", cut(bare(401)), BELFRY_RETRY, kItem, 0, 0},
    {"cut_403", cut(bare(403)), BELFRY_RETRY, kItem, 0, 0},
    {"cut_404", cut(bare(404, "<html>")), BELFRY_RETRY, kItem, 0, 0},
    {"cut_413", cut(bare(413)), BELFRY_REFUSED, kPush, 0, 0},
    {"cut_429", cut(bare(429)), BELFRY_THROTTLED, kInstance, 0, 10'000},
    {"cut_302", cut(bare(302)), BELFRY_MISCONFIGURED, kInstance, 0, 0},
    {"cut_behind_its_last_word", cut(text(80000000)), BELFRY_ACCEPTED, kItem, 0, 0},
    {"S7_302", bare(302), BELFRY_MISCONFIGURED, kInstance, 0, 0},
    {"S7_400_without_code", bare(400), BELFRY_REFUSED, kItem, 0, 0},
    {"A19_401_html", bare(401, "<html>"), BELFRY_AUTH_REFUSED, kInstance, kRenew, 0},
    {"S7_403", bare(403), BELFRY_MISCONFIGURED, kInstance, 0, 0},
    {"A19_404_html", bare(404, "<html>"), BELFRY_MISCONFIGURED, kInstance, 0, 0},
    {"S7_408", bare(408), BELFRY_RETRY, kItem, 0, 1'000},
    {"S7_413", bare(413), BELFRY_REFUSED, kPush, 0, 0},
    {"S7_418", bare(418), BELFRY_REFUSED, kItem, 0, 0},
    {"no_status", bare(99), BELFRY_FAULT, kItem, 0, 0},
    {"code_of_no_sense", coded("-1"), BELFRY_RETRY, kItem, kResend, 0},
};

class HmsVerdict : public testing::TestWithParam<Case> {};
TEST_P(HmsVerdict, IsWhatTheTableSays) {
    const Case& expected = GetParam();
    HmsBed bed;
    ASSERT_TRUE(bed.prepare(kData));
    const Verdict verdict = bed.decode(expected.answer);
    EXPECT_EQ(verdict.outcome, expected.outcome) << verdict.reason;
    EXPECT_EQ(verdict.scope, expected.scope);
    EXPECT_EQ(verdict.flags, expected.flags);
    EXPECT_EQ(verdict.retry_after_ms, expected.wait_ms);
    if (expected.outcome == BELFRY_ACCEPTED) {
        EXPECT_EQ(verdict.message_id, "77");
    } else {
        EXPECT_GT(verdict.reason.size(), 8U);
    }
}
INSTANTIATE_TEST_SUITE_P(Rows, HmsVerdict, testing::ValuesIn(kCases), case_name<Case>);

// A row that no case reaches is a row that nobody has thought about.
TEST(HmsVerdicts, EveryRowOfTheTableHasACase) {
    for (const hms::Rule& rule : hms::kCodes) {
        const bool partly = rule.from == 80100000 && rule.to == 80100000;  // cases A3 to A7 below
        bool found = partly;
        for (const Case& each : kCases) {
            const std::string& body = each.answer.body;
            const size_t at = body.find_first_of("123456789");
            const bool has_code = at != std::string::npos && body.starts_with(R"({"code":)") && body.ends_with('}');
            const auto number = static_cast<uint32_t>(has_code ? std::stoul(body.substr(at)) : 0);
            const uint32_t key = number > 9'999'999 ? number : static_cast<uint32_t>(each.answer.status);
            found = found || (key >= rule.from && key <= rule.to);
        }
        EXPECT_TRUE(found) << rule.from;
    }
}

std::string outcomes(const std::vector<Verdict>& verdicts) {
    std::string line;
    for (const Verdict& verdict : verdicts) {
        if (!line.empty()) line += " ";
        line += verdict.outcome == BELFRY_ACCEPTED      ? "ok"
                : verdict.outcome == BELFRY_DEVICE_GONE ? "gone"
                : verdict.outcome == BELFRY_REFUSED     ? "refused"
                : verdict.outcome == BELFRY_RETRY       ? "retry"
                                                        : "fault";
        if ((verdict.flags & kSuspect) != 0) line += "?";
    }
    return line;
}

struct Batch {
    const char* name;
    std::vector<std::string> tokens;
    std::string code, msg;  // msg: JSON as it stands in the answer
    const char* outcomes;
    const char* warning = "";
    friend void PrintTo(const Batch& b, std::ostream* out) { *out << b.name; }
};
const std::vector<std::string> kThree{"T1", "T2", "T3"}, kAbc{"a", "b", "c"};

const Batch kBatches[] = {
    {"A3_one_of_three", kThree, "80100000", R"("{\"success\":2,\"failure\":1,\"illegal_tokens\":[\"T2\"]}")",
     "ok gone ok"},
    {"A3_counters_as_texts", kThree, "80100000",
     R"("{\"success\":\"2\",\"failure\":\"1\",\"illegal_tokens\":[\"T2\"]}")", "ok gone ok"},
    {"A3_as_an_object", kThree, "80100000", R"({"success":2,"failure":1,"illegal_tokens":["T2"]})", "ok gone ok"},
    {"S17_3_a_token_given_twice",
     {"T1", "T2", "T2"},
     "80100000",
     R"("{\"success\":1,\"failure\":1,\"illegal_tokens\":[\"T2\"]}")",
     "ok gone gone"},
    {"A4_a_foreign_token", kThree, "80100000", R"("{\"success\":2,\"failure\":1,\"illegal_tokens\":[\"ZZ\"]}")",
     "ok ok ok", "HMS names tokens that were not sent, or not all bad ones"},
    {"S6_counters_that_do_not_add_up", kThree, "80100000",
     R"("{\"success\":1,\"failure\":2,\"illegal_tokens\":[\"T2\"]}")", "ok gone ok",
     "HMS names tokens that were not sent, or not all bad ones"},
    {"A5_garbage", kThree, "80100000", R"("garbage")", "fault fault fault"},
    {"A5_cut", kThree, "80100000", R"("{\"success\":2,\"fail")", "fault fault fault"},
    {"S10_1_nobody_was_served", kThree, "80100000",
     R"("{\"success\":0,\"failure\":3,\"illegal_tokens\":[\"T1\",\"T2\",\"T3\"]}")", "refused? refused? refused?"},
    {"A7_words_with_blanks",
     {"a", "b", "c", "d"},
     "80100000",
     R"("{\"success\":1,\"failure\":3,\"illegalTokens\":{\" tokenFormatError \":[\"a\"],\"noPushTypeRight\":[\"b\"],\"appinfoError\":[\"c\"]}}")",
     "gone refused retry ok"},
    {"A7_no_right_beside_a_success", kAbc, "80100000",
     R"("{\"success\":2,\"failure\":1,\"illegalTokens\":{\"noRight\":[\"b\"]}}")", "ok gone? ok"},
    {"A6_plain_text", kThree, "80300007", R"("All the tokens are invalid")", "refused? refused? refused?"},
    {"A8_no_right",
     {"a", "b"},
     "80300007",
     R"("{\"failure\":2,\"illegalTokens\":{\"noRight\":[\"a\",\"b\"]}}")",
     "refused? refused?"},
    {"A9_as_an_object",
     {"a", "b"},
     "80300007",
     R"({"failure":2,"illegalTokens":{"noRight":["a","b"]}})",
     "refused? refused?"},
    {"S10_no_right_beside_no_success",
     {"a", "b"},
     "80100000",
     R"({"success":0,"failure":2,"illegalTokens":{"noRight":["a"],"tokenFormatError":["b"]}})",
     "refused? refused?"},
    {"S10_all_malformed_is_gated",
     {"a", "b"},
     "80300007",
     R"({"failure":2,"illegalTokens":{"tokenFormatError":["a"],"countryNotSupport":["b"]}})",
     "refused? refused"},
    {"S10_all_bad_but_one_not_named",
     {"a", "b"},
     "80300007",
     R"({"failure":1,"illegalTokens":{"tokenFormatError":["a"]}})",
     "refused? refused"},
};
class HmsPartly : public testing::TestWithParam<Batch> {};
TEST_P(HmsPartly, JudgesEachTokenByItsOwn) {
    const Batch& row = GetParam();
    HmsBed bed;
    ASSERT_TRUE(bed.prepare(kData));
    const auto verdicts = bed.decode(std::vector<Answer>{to(row.tokens, coded("\"" + row.code + "\"", 200, row.msg))});
    EXPECT_EQ(outcomes(verdicts), row.outcomes);
    for (uint32_t i = 0; i < verdicts.size(); ++i) EXPECT_EQ(verdicts[i].item, i);
    std::string warning;
    for (const auto& line : bed.host.log.lines) warning += line.level == LogLevel::Warning ? line.event : "";
    EXPECT_EQ(warning, row.warning);
}
INSTANTIATE_TEST_SUITE_P(Rows, HmsPartly, testing::ValuesIn(kBatches), case_name<Batch>);

struct Word {
    const char *name, *outcome;
};
class HmsWord : public testing::TestWithParam<Word> {};
TEST_P(HmsWord, OfV3DecidesAboutItsToken) {  // section 10, beside a success
    HmsBed bed(kHmsV3);
    const std::string msg =
        R"({"success":1,"failure":1,"illegalTokens":{")" + std::string(GetParam().name) + R"(":["a"]}})";
    const auto verdicts = bed.decode(std::vector<Answer>{to({"a", "b"}, coded("80100000", 200, msg))});
    EXPECT_EQ(outcomes(verdicts), GetParam().outcome + std::string(" ok"));
    EXPECT_EQ(verdicts.at(0).reason.rfind(std::string(GetParam().name) + ": ", 0), 0U) << verdicts.at(0).reason;
    EXPECT_EQ(verdicts.at(0).scope, kItem);
}
INSTANTIATE_TEST_SUITE_P(
    Rows, HmsWord,
    testing::Values(Word{"tokenFormatError", "gone"}, Word{"tokenPlatformNotSupport", "gone"}, Word{"noRight", "gone?"},
                    Word{"noPushTypeRight", "refused"}, Word{"atomicUnableSendUnsubscribedMsg", "refused"},
                    Word{"countryNotSupport", "refused"}, Word{"disableSendHuaweiMsgBecauseOfPenalty", "refused"},
                    Word{"differentImgVerifyPolicy", "refused"}, Word{"appinfoError", "retry"},
                    Word{"notSupportPlayVoice", "refused"}, Word{"noRightToSendThisLiveNotificationEvent", "refused"},
                    Word{"unknown", "refused"}, Word{"somethingNew", "refused"}),
    case_name<Word>);

struct Words {
    const char *name, *illegal, *code;
    int32_t outcome, scope;
    uint32_t flags = 0;
};
class HmsWords : public testing::TestWithParam<Words> {};
TEST_P(HmsWords, AboutEveryTokenAreAboutTheAppOrThePush) {  // section 10; of two tokens, a and b
    HmsBed bed(kHmsV3);
    const std::string msg = R"({"success":0,"failure":2,"illegalTokens":{)" + std::string(GetParam().illegal) + "}}";
    const auto verdicts = bed.decode(std::vector<Answer>{to({"a", "b"}, coded(GetParam().code, 200, msg))});
    ASSERT_EQ(verdicts.size(), 2U);
    for (uint32_t i = 0; i < 2; ++i) {
        EXPECT_EQ(verdicts[i].item, i);
        EXPECT_EQ(verdicts[i].outcome, GetParam().outcome) << verdicts[i].reason;
        EXPECT_EQ(verdicts[i].scope, GetParam().scope);
        EXPECT_EQ(verdicts[i].flags, GetParam().flags);
        EXPECT_NE(verdicts[i].reason.find(": "), std::string::npos) << verdicts[i].reason;
    }
}
INSTANTIATE_TEST_SUITE_P(
    Rows, HmsWords,
    testing::Values(
        Words{"penalty", R"("disableSendHuaweiMsgBecauseOfPenalty":["a","b"])", "80300007", BELFRY_MISCONFIGURED,
              kInstance},
        Words{"push_type", R"("noPushTypeRight":["a","b"])", "80300007", BELFRY_REFUSED, kPush},
        Words{"live_view", R"("noRightToSendThisLiveNotificationEvent":["a","b"])", "80300007", BELFRY_REFUSED, kPush},
        Words{"no_right", R"("noRight":["a","b"])", "80300007", BELFRY_REFUSED, kItem, kSuspect},
        Words{"penalty_of_one", R"("disableSendHuaweiMsgBecauseOfPenalty":["a"])", "80300007", BELFRY_REFUSED, kItem},
        Words{"push_type_and_country", R"("noPushTypeRight":["a"],"countryNotSupport":["b"])", "80300007",
              BELFRY_REFUSED, kItem},
        Words{"penalty_and_push_type", R"("disableSendHuaweiMsgBecauseOfPenalty":["a"],"noPushTypeRight":["b"])",
              "80300007", BELFRY_REFUSED, kItem},
        Words{"penalty_in_a_partial_answer", R"("disableSendHuaweiMsgBecauseOfPenalty":["a","b"])", "80100000",
              BELFRY_REFUSED, kItem}),
    case_name<Words>);

TEST(HmsVerdicts, AWordAboutEveryTokenOfOneRenderingSaysNothingAboutOthers) {
    HmsBed bed(kHmsV3);
    ASSERT_TRUE(bed.prepare(R"({"message":{"payload":{"notification":{"category":"IM","title":"t","body":"b"}}}})", "",
                            BELFRY_CONTENT_TOKENS, "", BELFRY_CONTENT_HAS_HOLES))
        << bed.trouble.where << ": " << bed.trouble.text;
    const char* msg = R"({"failure":1,"illegalTokens":{"noPushTypeRight":["a"]}})";
    EXPECT_EQ(bed.decode(to({"a"}, coded("80300007", 200, msg))).scope, kItem);
}

TEST(HmsVerdicts, TooManyAtOnceAreSentOneByOne) {  // section 8: SPLIT
    HmsBed bed;
    ASSERT_TRUE(bed.prepare(kData));
    for (const int code : {80100002, 80300010, 80300030}) {
        for (const Verdict& verdict : bed.decode(std::vector<Answer>{to(kThree, text(code))})) {
            EXPECT_EQ(verdict.outcome, BELFRY_RETRY);
            EXPECT_EQ(verdict.flags, kResend);
            EXPECT_EQ(verdict.variant, 2U);
        }
    }
}

TEST(HmsVerdicts, ATopicHasNoDeviceToGiveUp) {
    HmsBed bed;
    ASSERT_TRUE(bed.prepare(kData, "", BELFRY_CONTENT_TOPIC, "news"));
    for (const char* msg : {R"("All the tokens are invalid")", R"({"failure":1,"illegalTokens":{"noRight":["a"]}})"}) {
        const Verdict verdict = bed.decode(to({}, coded("80300007", 200, msg)));
        EXPECT_EQ(verdict.outcome, BELFRY_REFUSED);
        EXPECT_EQ(verdict.flags, 0U);
    }
    EXPECT_EQ(bed.decode(to({}, text(80000000))).outcome, BELFRY_ACCEPTED);
}

TEST(HmsVerdicts, WhatRefusesOneRenderingSaysNothingAboutOthers) {
    HmsBed bed;
    ASSERT_TRUE(bed.prepare(kData, "", BELFRY_CONTENT_TOKENS, "", BELFRY_CONTENT_HAS_HOLES));
    EXPECT_EQ(bed.decode(text(80300008)).scope, kItem);
}

TEST(HmsVerdicts, ATtlOfOursThatIsOverIsAnExpiredPush) {
    HmsBed bed;
    ASSERT_TRUE(bed.prepare(kData, "", BELFRY_CONTENT_TOKENS, "", 0, 1'800'000'000'000));
    EXPECT_EQ(bed.decode(text(80100004)).outcome, BELFRY_EXPIRED);
}

TEST(HmsVerdicts, ReasonsNameCodeAdviceAndRequestButNoToken) {
    HmsBed bed;
    ASSERT_TRUE(bed.prepare(kData));
    EXPECT_EQ(bed.decode(coded("80300002", 200, R"("Illegal\u0000 app")")).reason,
              "80300002: no right to send: enable Push Kit for the app and its regions, check ids and generation; HMS "
              "says: Illegal  app; request 77");
    const auto partly = bed.decode(std::vector<Answer>{
        to(kThree, coded("80100000", 200, R"("{\"success\":2,\"failure\":1,\"illegal_tokens\":[\"T2\"]}")"))});
    EXPECT_EQ(partly.at(1).reason,
              "80100000: the token is malformed, expired, uninstalled or of another app; request 77");
}

TEST(HmsVerdicts, AThousandTokensAreMatchedExactly) {  // 17.8
    HmsBed bed;
    ASSERT_TRUE(bed.prepare(kData));
    const std::vector<std::string> tokens = HmsBed::tokens(1000);
    std::string bad;
    for (size_t i = 1; i < tokens.size(); ++i) bad += (i == 1 ? "\\\"" : ",\\\"") + tokens[i] + "\\\"";
    const std::string msg = R"("{\"success\":1,\"failure\":999,\"illegal_tokens\":[)" + bad + "]}\"";
    const auto verdicts = bed.decode(std::vector<Answer>{to(tokens, coded("80100000", 200, msg))});
    ASSERT_EQ(verdicts.size(), 1000U);
    EXPECT_EQ(verdicts[0].outcome, BELFRY_ACCEPTED);
    for (size_t i = 1; i < 1000; ++i) {
        EXPECT_EQ(verdicts[i].outcome, BELFRY_DEVICE_GONE);
        EXPECT_EQ(verdicts[i].flags, 0U);
    }
}

}  // namespace
}  // namespace belfry::fakes
