// SPDX-License-Identifier: Apache-2.0
// From payloads to requests: what is written, and what is refused before Huawei would (hms.md sections 4,
// 5, 17.3, 17.6).
#include "fakes/hms_bed.h"

namespace belfry::fakes {
namespace {

using Headers = std::map<std::string, std::string>;

constexpr const char* kData = R"({"message":{"data":"{\"k\":\"v\"}"}})";
constexpr const char* kShown =
    R"({"message":{"android":{"notification":{"title":"t","body":"b","click_action":{"type":3}}}}})";
constexpr const char* kHarmony = R"({"message":{"payload":{"notification":{"category":"IM","title":"t"}}}})";
constexpr int64_t kNowMs = 1'700'000'000'000;  // where the test clock stands
constexpr uint32_t kHarmonyVariant = 1, kSingly = 2;

TEST(HmsRequest, V1PassesTheMessageByteForByte) {
    HmsBed bed;
    const auto request = bed.one(kData, {"T1"});
    EXPECT_EQ(request.path, "/v1/123/messages:send");
    EXPECT_EQ(request.headers, (Headers{{"content-type", "application/json; charset=utf-8"}}));
    EXPECT_EQ(request.body, R"({"message":{"token":["T1"],"data":"{\"k\":\"v\"}"}})");
    EXPECT_EQ(bed.one(kShown, {"T1", "T2"}).body,
              R"({"message":{"token":["T1","T2"],"android":{"notification":{"title":"t","body":"b",)"
              R"("click_action":{"type":3}}}}})");
}

TEST(HmsRequest, V2NamesTheProject) {
    HmsBed bed(R"({"generation":"v2","app_id":"123","project_id":"456","client_secret":{"$secret":"s"}})");
    EXPECT_EQ(bed.one(kData, {"T1"}).path, "/v2/456/messages:send");
}

TEST(HmsRequest, V3HasAPushTypeAndABodyOfItsOwn) {
    HmsBed bed(kHmsV3);
    const auto request = bed.one(kHarmony, {"T1", "T2"}, kHarmonyVariant);
    EXPECT_EQ(request.path, "/v3/9001/messages:send");
    EXPECT_EQ(request.headers, (Headers{{"content-type", "application/json; charset=utf-8"}, {"push-type", "0"}}));
    EXPECT_EQ(request.body,
              R"({"target":{"token":["T1","T2"]},"payload":{"notification":{"category":"IM","title":"t"}}})");
    const char* background = R"({"headers":{"push-type":"6"},"message":{"payload":{"extraData":"x"}}})";
    EXPECT_EQ(bed.one(background, {"T1"}, kHarmonyVariant).headers.at("push-type"), "6");
}

TEST(HmsRequest, EachGenerationTakesItsOwnPartOfAPayloadForBoth) {
    const std::string both =
        std::string(kShown).substr(0, std::string(kShown).size() - 1) + R"(,"v3":)" + kHarmony + "}";
    HmsBed classic;
    EXPECT_EQ(classic.one(both, {"T"}, 0, kNowMs + 90'500).body, classic.one(kShown, {"T"}, 0, kNowMs + 90'500).body);
    HmsBed harmony(kHmsV3);
    EXPECT_EQ(harmony.one(both, {"T"}, kHarmonyVariant, kNowMs + 90'500).body,
              harmony.one(kHarmony, {"T"}, kHarmonyVariant, kNowMs + 90'500).body);
    EXPECT_EQ(harmony.one(both, {"T"}, kHarmonyVariant).headers.at("push-type"), "0");
}

TEST(HmsRequest, ADryRunIsHuaweisOwnCheck) {
    HmsBed bed;
    EXPECT_EQ(bed.one(kData, {"T1"}, 0, 0, BELFRY_CONTENT_DRY_RUN).body,
              R"({"validate_only":true,"message":{"token":["T1"],"data":"{\"k\":\"v\"}"}})");
    HmsBed harmony(kHmsV3);
    EXPECT_FALSE(harmony.prepare(kHarmony, "", BELFRY_CONTENT_TOKENS, "", BELFRY_CONTENT_DRY_RUN));
    EXPECT_EQ(harmony.trouble.code, BELFRY_UNSUPPORTED);
}

struct Ttl {
    const char *name, *config, *payload, *body;
};
class HmsTtl : public testing::TestWithParam<Ttl> {};
TEST_P(HmsTtl, SaysHowLongHuaweiKeepsAMessageForAPhoneThatIsOff) {
    HmsBed bed(GetParam().config);
    const uint32_t variant = std::string(GetParam().config) == kHmsV3 ? kHarmonyVariant : 0;
    EXPECT_EQ(bed.one(GetParam().payload, {"T"}, variant, kNowMs + 90'500).body, GetParam().body);
}
INSTANTIATE_TEST_SUITE_P(
    Rows, HmsTtl,
    testing::Values(
        Ttl{"added", kHmsV1, R"({"message":{"data":"x"}})",
            R"({"message":{"token":["T"],"data":"x","android":{"ttl":"90s"}}})"},
        Ttl{"put_in", kHmsV1, R"({"message":{"android":{"urgency":"HIGH"},"data":"x"}})",
            R"({"message":{"token":["T"],"android":{"ttl":"90s","urgency":"HIGH"},"data":"x"}})"},
        Ttl{"into_nothing", kHmsV1, R"({"message":{"android":{},"data":"x"}})",
            R"({"message":{"token":["T"],"android":{"ttl":"90s"},"data":"x"}})"},
        Ttl{"callers_own", kHmsV1, R"({"message":{"android":{"ttl":"5s"}}})",
            R"({"message":{"token":["T"],"android":{"ttl":"5s"}}})"},
        Ttl{"v3_added", kHmsV3, R"({"message":{"payload":{"notification":{}}}})",
            R"({"target":{"token":["T"]},"payload":{"notification":{}},"pushOptions":{"ttl":90}})"},
        Ttl{"v3_put_in", kHmsV3, R"({"message":{"payload":{"notification":{}},"pushOptions":{"biTag":"b"}}})",
            R"({"target":{"token":["T"]},"payload":{"notification":{}},"pushOptions":{"ttl":90,"biTag":"b"}})"}),
    case_name<Ttl>);

TEST(HmsTtl, IsAtMost15DaysInV3AndNeverOver) {
    HmsBed bed(kHmsV3);
    const auto request = bed.one(kHarmony, {"T"}, kHarmonyVariant, kNowMs + int64_t{30} * 86'400'000);
    EXPECT_NE(request.body.find(R"("ttl":1296000)"), std::string::npos) << request.body;
    const auto late = bed.encode(bed.items({"T"}, kHarmony, kHarmonyVariant, kNowMs));
    ASSERT_EQ(late.refused.size(), 1U);
    EXPECT_EQ(late.refused[0].outcome, BELFRY_EXPIRED);
}

TEST(HmsTopic, IsOneRequestFromItsPlan) {
    HmsBed bed;
    const auto topic = bed.prepare(kData, "", BELFRY_CONTENT_TOPIC, "news");
    ASSERT_TRUE(topic) << bed.trouble.text;
    EXPECT_EQ(topic->path, "/v1/123/messages:send");
    EXPECT_EQ(topic->credential, 0);
    EXPECT_EQ(topic->headers, std::vector<std::string>{"content-type: application/json; charset=utf-8"});
    EXPECT_EQ(topic->body, R"({"message":{"topic":"news","data":"{\"k\":\"v\"}"}})");
    const auto condition = bed.prepare(R"({"message":{"android":{"urgency":"HIGH"}}})", "", BELFRY_CONTENT_CONDITION,
                                       "'a' in topics && 'b' in topics", BELFRY_CONTENT_DRY_RUN, kNowMs + 1'000);
    ASSERT_TRUE(condition) << bed.trouble.text;
    EXPECT_EQ(condition->body, R"({"validate_only":true,"message":{"condition":"'a' in topics && 'b' in topics",)"
                               R"("android":{"ttl":"<ttl>s","urgency":"HIGH"}}})");
}

struct Refusal {
    const char *name, *config, *payload;
    belfry_code code;
    const char* where;
    int32_t kind = BELFRY_CONTENT_TOKENS;
    const char* target = "";
};
class HmsRefusal : public testing::TestWithParam<Refusal> {};
TEST_P(HmsRefusal, NamesThePlace) {
    const Refusal& row = GetParam();
    HmsBed bed(row.config);
    EXPECT_FALSE(bed.prepare(row.payload, "", row.kind, row.target));
    EXPECT_EQ(bed.trouble.code, row.code) << bed.trouble.text;
    EXPECT_EQ(bed.trouble.where, row.where);
}
INSTANTIATE_TEST_SUITE_P(
    Rows, HmsRefusal,
    testing::Values(
        Refusal{"no_message", kHmsV1, R"({})", BELFRY_BAD_REQUEST, "message"},
        Refusal{"empty_message", kHmsV1, R"({"message":{}})", BELFRY_BAD_REQUEST, "message"},
        Refusal{"misspelt", kHmsV1, R"({"mesage":{},"message":{"data":"x"}})", BELFRY_BAD_REQUEST, "mesage"},
        Refusal{"token", kHmsV1, R"({"message":{"token":["a"],"data":"x"}})", BELFRY_BAD_REQUEST, "message.token"},
        Refusal{"topic", kHmsV1, R"({"message":{"topic":"a","data":"x"}})", BELFRY_BAD_REQUEST, "message.topic"},
        Refusal{"data_object", kHmsV1, R"({"message":{"data":{"k":"v"}}})", BELFRY_BAD_REQUEST, "message.data"},
        Refusal{"no_click_action", kHmsV1, R"({"message":{"android":{"notification":{"title":"t"}}}})",
                BELFRY_BAD_REQUEST, "message.android.notification.click_action"},
        Refusal{"collapse_key", kHmsV1, R"({"message":{"data":"x","android":{"collapse_key":101}}})",
                BELFRY_BAD_REQUEST, "message.android.collapse_key"},
        Refusal{"collapse_key_text", kHmsV1, R"({"message":{"data":"x","android":{"collapse_key":"1"}}})",
                BELFRY_BAD_REQUEST, "message.android.collapse_key"},
        Refusal{"v3_message_to_v1", kHmsV1, kHarmony, BELFRY_BAD_REQUEST, "message"},
        Refusal{"v1_message_to_v3", kHmsV3, kShown, BELFRY_BAD_REQUEST, "message"},
        Refusal{"v3_part_alone_to_v1", kHmsV1, R"({"v3":{"message":{"payload":{}}}})", BELFRY_BAD_REQUEST, "message"},
        Refusal{"v3_part_misspelt", kHmsV3, R"({"mesage":{},"v3":{"message":{"payload":{"notification":{}}}}})",
                BELFRY_BAD_REQUEST, "mesage"},
        Refusal{"v3_part_no_object", kHmsV3, R"({"message":{"payload":{"notification":{}}},"v3":1})",
                BELFRY_BAD_REQUEST, "v3.message"},
        Refusal{"v3_part_is_v1", kHmsV3, R"({"v3":{"message":{"data":"x"}}})", BELFRY_BAD_REQUEST, "v3.message"},
        Refusal{"v3_without_payload", kHmsV3, R"({"message":{"pushOptions":{}}})", BELFRY_BAD_REQUEST,
                "message.payload"},
        Refusal{"v3_target", kHmsV3, R"({"message":{"target":{},"payload":{}}})", BELFRY_BAD_REQUEST, "message.target"},
        Refusal{"push_type_needed", kHmsV3, R"({"message":{"payload":{"extraData":"x"}}})", BELFRY_BAD_REQUEST,
                "headers.push-type"},
        Refusal{"push_type_number", kHmsV3, R"({"headers":{"push-type":0},"message":{"payload":{}}})",
                BELFRY_BAD_REQUEST, "headers.push-type"},
        Refusal{"push_type_line_break", kHmsV3, R"({"headers":{"push-type":"\n"},"message":{"payload":{}}})",
                BELFRY_BAD_REQUEST, "headers.push-type"},
        Refusal{"other_header", kHmsV3, R"({"headers":{"x":"0"},"message":{"payload":{}}})", BELFRY_BAD_REQUEST,
                "headers.x"},
        Refusal{"v3_topic", kHmsV3, kHarmony, BELFRY_UNSUPPORTED, "", BELFRY_CONTENT_TOPIC, "news"},
        Refusal{"channel", kHmsV1, kData, BELFRY_UNSUPPORTED, "", BELFRY_CONTENT_CHANNEL, "c"},
        Refusal{"bad_topic", kHmsV1, kData, BELFRY_BAD_REQUEST, "target", BELFRY_CONTENT_TOPIC, "a b"},
        Refusal{"bad_condition", kHmsV1, kData, BELFRY_BAD_REQUEST, "target", BELFRY_CONTENT_CONDITION, "a"}),
    case_name<Refusal>);

TEST(HmsSize, IsCountedInBytesWithoutTheTokens) {  // 17.3
    HmsBed bed;
    const std::string empty = R"({"message":{"token":[],"data":""}})";
    const auto message = [&](size_t body_bytes, const std::string& start = "") {
        return R"({"message":{"data":")" + start + std::string(body_bytes - empty.size() - start.size(), 'x') + "\"}}";
    };
    EXPECT_EQ(bed.one(message(4096), {"T"}).body.size(), 4096U + 3);
    EXPECT_FALSE(bed.prepare(message(4097)));
    EXPECT_EQ(bed.trouble.code, BELFRY_TOO_LARGE);
    EXPECT_NE(bed.trouble.text.find("4097"), std::string::npos) << bed.trouble.text;
    EXPECT_TRUE(bed.prepare(message(4096, "\xE4\xBD\xA0")));
    EXPECT_FALSE(bed.prepare(message(4097, "\xE4\xBD\xA0")));
}

TEST(HmsToken, IsCheckedAndRemembersItsGeneration) {
    for (const auto& [config, variant] : {std::pair(kHmsV1, 0U), std::pair(kHmsV3, kHarmonyVariant)}) {
        HmsBed bed(config);
        const auto token = bed.validate("AbC-_d12");
        ASSERT_TRUE(token);
        EXPECT_EQ(token->token, "AbC-_d12");
        EXPECT_EQ(token->identity, "AbC-_d12");
        EXPECT_EQ(token->variant, variant);
        for (const char* bad : {"", "a b", "a\"b", "a\\b", "a\nb", "\xC3\xA4"}) {
            EXPECT_FALSE(bed.validate(bad)) << bad;
            EXPECT_EQ(bed.trouble.code, BELFRY_BAD_REQUEST);
        }
        EXPECT_TRUE(bed.validate(std::string(4096, 'a')));
        EXPECT_FALSE(bed.validate(std::string(4097, 'a')));
    }
}

TEST(HmsBatch, HoldsAThousandTokensARequest) {  // 17.3
    HmsBed bed;
    const std::string payload = kData;
    ASSERT_TRUE(bed.prepare(payload));
    EXPECT_EQ(bed.requests.at(0).items_max, 1000U);
    EXPECT_EQ(bed.requests.at(1).variant, kSingly);
    EXPECT_EQ(bed.requests.at(1).items_max, 1U);
    const auto sizes = [&](size_t n) {
        std::vector<uint32_t> made;
        const auto encoded = bed.encode(bed.items(bed.tokens(n), payload));
        EXPECT_EQ(encoded.length, n);
        for (const auto& request : encoded.requests) made.push_back(request.items);
        return made;
    };
    EXPECT_EQ(sizes(0), std::vector<uint32_t>{});
    EXPECT_EQ(sizes(1), std::vector<uint32_t>{1});
    EXPECT_EQ(sizes(1000), std::vector<uint32_t>{1000});
    EXPECT_EQ(sizes(1001), (std::vector<uint32_t>{1000, 1}));
    EXPECT_EQ(sizes(2500), (std::vector<uint32_t>{1000, 1000, 500}));
}

TEST(HmsBatch, NamesATokenOnce) {  // 17.3
    HmsBed bed;
    const auto request = bed.one(kData, {"a", "b", "a", "a"});
    EXPECT_EQ(request.items, 4U);
    EXPECT_NE(request.body.find(R"("token":["a","b"],)"), std::string::npos) << request.body;
}

TEST(HmsBatch, IsSmallerForTestMessagesAndForms) {  // section 5
    HmsBed bed(kHmsV3);
    const std::string test = R"({"message":{"payload":{"notification":{}},"pushOptions":{"testMessage":true}}})";
    ASSERT_TRUE(bed.prepare(test));
    EXPECT_EQ(bed.encode(bed.items(bed.tokens(25), test, kHarmonyVariant)).requests.size(), 3U);
    const std::string form = R"({"headers":{"push-type":"1"},"message":{"payload":{}}})";
    ASSERT_TRUE(bed.prepare(form));
    EXPECT_EQ(bed.encode(bed.items(bed.tokens(3), form, kHarmonyVariant)).requests.size(), 3U);
    const std::string alert = kHarmony;
    ASSERT_TRUE(bed.prepare(alert));
    EXPECT_EQ(bed.encode(bed.items(bed.tokens(3), alert, kHarmonyVariant | kSingly)).requests.size(), 3U);
}

TEST(HmsBatch, EndsWhereThePayloadChangesAndWhereTheRoomDoes) {
    HmsBed bed;
    const std::string one = kData, other = kShown;
    ASSERT_TRUE(bed.prepare(one));
    auto items = bed.items({"a", "b"}, one);
    const auto more = bed.items({"c"}, other);
    items.insert(items.end(), more.begin(), more.end());
    const auto encoded = bed.encode(items, 256 * 1024, 7);
    ASSERT_EQ(encoded.requests.size(), 2U);
    EXPECT_EQ(encoded.requests[0].first_item, 7U);
    EXPECT_EQ(encoded.requests[0].items, 2U);
    EXPECT_EQ(encoded.requests[1].first_item, 9U);
    EXPECT_NE(encoded.requests[1].body.find(R"("token":["c"],"android")"), std::string::npos);

    const auto tight = bed.encode(bed.items(bed.tokens(1000), one), 2'000);
    EXPECT_GT(tight.length, 100U);
    EXPECT_LT(tight.length, 400U);
    ASSERT_EQ(tight.requests.size(), 1U);
    EXPECT_EQ(tight.requests[0].items, tight.length);
    EXPECT_TRUE(json::check(tight.requests[0].body));
    EXPECT_EQ(bed.encode(bed.items({"a"}, one), 50).length, 0U);
}

TEST(HmsBatch, RefusesDevicesOfTheOtherGenerationOnly) {  // section 1: their tokens are not interchangeable
    HmsBed bed;
    const std::string payload = kData;
    ASSERT_TRUE(bed.prepare(payload));
    auto items = bed.items(bed.tokens(5), payload);
    items[2].variant = kHarmonyVariant;
    const auto encoded = bed.encode(items);
    EXPECT_EQ(encoded.length, 5U);
    ASSERT_EQ(encoded.requests.size(), 2U);
    EXPECT_EQ(encoded.requests[0].items, 2U);
    EXPECT_EQ(encoded.requests[1].first_item, 3U);
    ASSERT_EQ(encoded.refused.size(), 1U);
    EXPECT_EQ(encoded.refused[0].item, 2U);
    EXPECT_EQ(encoded.refused[0].outcome, BELFRY_REFUSED);
    EXPECT_EQ(encoded.refused[0].reason.rfind("OTHER_GENERATION", 0), 0U);
}

TEST(HmsBatch, ARenderingThatIsTooLongStopsItsDeviceOnly) {
    HmsBed bed;
    const std::string source = R"({"message":{"data":"{{.l10n.x}}"}})";
    ASSERT_TRUE(bed.prepare(source, "", BELFRY_CONTENT_TOKENS, "", BELFRY_CONTENT_HAS_HOLES));
    const std::string longer = R"({"message":{"data":")" + std::string(5000, 'x') + "\"}}";
    auto items = bed.items({"a"}, kData);
    items.push_back({"b", "", 0, longer, 0});
    const auto encoded = bed.encode(items);
    EXPECT_EQ(encoded.length, 2U);
    EXPECT_EQ(encoded.requests.size(), 1U);
    ASSERT_EQ(encoded.refused.size(), 1U);
    EXPECT_EQ(encoded.refused[0].item, 1U);
    EXPECT_EQ(encoded.refused[0].outcome, BELFRY_REFUSED);
}

}  // namespace
}  // namespace belfry::fakes
