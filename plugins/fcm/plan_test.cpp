// SPDX-License-Identifier: Apache-2.0
#include "fakes/fcm_bed.h"

namespace belfry::fakes {
namespace {

TEST(FcmPlan, PutsTheTokenBeforeTheUntouchedMembers) {
    FcmBed bed;
    const auto request = bed.prepare(
        "{ \"message\" : {\n \"notification\": {\"title\":\"H\\u00e9\\/llo\"},\"data\":{}, \"x\" :[1,2.50] } }",
        "a:b\"c");
    ASSERT_TRUE(request) << bed.trouble.text;
    EXPECT_EQ(request->method, "POST");
    EXPECT_EQ(request->path, "/v1/projects/demo/messages:send");
    EXPECT_EQ(request->body,
              "{\"message\":{\"token\":\"a:b\\\"c\",\n \"notification\": {\"title\":\"H\\u00e9\\/llo\"},\"data\":{}, "
              "\"x\" :[1,2.50] }}");
    EXPECT_EQ(request->headers, std::vector<std::string>{"content-type: application/json"});
    EXPECT_EQ(request->keep, std::vector<std::string>{"retry-after"});
    EXPECT_EQ(request->credential, 0);
    EXPECT_EQ(bed.host.http.endpoints.at(static_cast<size_t>(request->endpoint)).url, "https://fcm.test:7");
    EXPECT_TRUE(bed.has_prepared());
}

TEST(FcmPlan, AllowsAnEmptyMessage) {
    FcmBed bed;
    EXPECT_EQ(bed.prepare(R"({"message":{ }})")->body, R"({"message":{"token":"ok-1"}})");
}

TEST(FcmPlan, TakesTheLastOfDuplicateMessages) {
    FcmBed bed;
    EXPECT_EQ(bed.prepare(R"({"message":{"a":1},"message":{"b":2}})")->body, R"({"message":{"token":"ok-1","b":2}})");
}

TEST(FcmPlan, AddressesTopicsAndConditions) {
    FcmBed bed;
    EXPECT_EQ(bed.prepare(R"({"message":{"a":1}})", "", BELFRY_CONTENT_TOPIC, "news~1%")->body,
              R"({"message":{"topic":"news~1%","a":1}})");
    EXPECT_EQ(
        bed.prepare(R"({"message":{"a":1}})", "", BELFRY_CONTENT_CONDITION, "'a' in topics && 'b' in topics")->body,
        R"({"message":{"condition":"'a' in topics && 'b' in topics","a":1}})");
}

TEST(FcmPlan, CheckOnlyKeepsNothing) {
    FcmBed bed;
    EXPECT_FALSE(bed.prepare(R"({"message":{}})", "t", BELFRY_CONTENT_TOKENS, "", BELFRY_CONTENT_CHECK_ONLY));
    EXPECT_EQ(bed.trouble.code, BELFRY_OK);
    EXPECT_FALSE(bed.has_prepared());
}

TEST(FcmPlan, SendsForAnotherProjectWhenConfigured) {
    FcmBed bed(fcm_key_file(), R"("project_id":"other-1")");
    EXPECT_EQ(bed.prepare(R"({"message":{}})")->path, "/v1/projects/other-1/messages:send");
    EXPECT_EQ(bed.host.http.endpoints.at(0).url, "https://fcm.googleapis.com");
    EXPECT_EQ(bed.host.http.endpoints.at(0).partition, "other-1");
}

std::string data_of(size_t bytes) {
    return R"({"message":{"data":{"key":")" + std::string(bytes - 3, 'x') + "\"}}}";
}

struct Refused {
    const char* name;
    std::string payload;
    belfry_code code;
    const char* where;
    int32_t kind = BELFRY_CONTENT_TOKENS;
    std::string target = "";
    friend void PrintTo(const Refused& c, std::ostream* out) { *out << c.name; }
};

class FcmPayload : public testing::TestWithParam<Refused> {};
TEST_P(FcmPayload, IsRefusedWithItsPlace) {
    FcmBed bed;
    const Refused& c = GetParam();
    for (const uint32_t flags : {0U, BELFRY_CONTENT_CHECK_ONLY + 0U}) {
        EXPECT_FALSE(bed.prepare(c.payload, "t", c.kind, c.target, flags));
        EXPECT_EQ(bed.trouble.code, c.code);
        EXPECT_EQ(bed.trouble.where, c.where);
        EXPECT_NE(bed.trouble.text, "");
        EXPECT_FALSE(bed.has_prepared());
    }
}
const std::string kGood = R"({"message":{}})";
INSTANTIATE_TEST_SUITE_P(
    , FcmPayload,
    testing::Values(
        Refused{"not_json", "{\"message\":", BELFRY_BAD_REQUEST, ""},
        Refused{"not_an_object", "[1]", BELFRY_BAD_REQUEST, "message"},
        Refused{"no_message", "{}", BELFRY_BAD_REQUEST, "message"},
        Refused{"message_is_null", R"({"message":null})", BELFRY_BAD_REQUEST, "message"},
        Refused{"message_is_a_list", R"({"message":[]})", BELFRY_BAD_REQUEST, "message"},
        Refused{"unknown_top_level", R"({"message":{},"android":{}})", BELFRY_BAD_REQUEST, "android"},
        Refused{"validate_only_is_not_the_callers", R"({"validate_only":true,"message":{}})", BELFRY_BAD_REQUEST,
                "validate_only"},
        Refused{"token", R"({"message":{"token":"x"}})", BELFRY_BAD_REQUEST, "message.token"},
        Refused{"escaped_token", R"({"message":{"a":1,"tok\u0065n":"x"}})", BELFRY_BAD_REQUEST, "message.token"},
        Refused{"topic", R"({"message":{"topic":"x"}})", BELFRY_BAD_REQUEST, "message.topic"},
        Refused{"condition", R"({"message":{"condition":"x"}})", BELFRY_BAD_REQUEST, "message.condition"},
        Refused{"fid", R"({"message":{"fid":"x"}})", BELFRY_BAD_REQUEST, "message.fid"},
        Refused{"E4_data_value_is_a_number", R"({"message":{"data":{"a":"1","k":12}}})", BELFRY_BAD_REQUEST,
                "message.data.k"},
        Refused{"data_value_is_null", R"({"message":{"data":{"k":null}}})", BELFRY_BAD_REQUEST, "message.data.k"},
        Refused{"data_is_a_list", R"({"message":{"data":["k"]}})", BELFRY_BAD_REQUEST, "message.data"},
        Refused{"reserved_from", R"({"message":{"data":{"from":"x"}}})", BELFRY_BAD_REQUEST, "message.data.from"},
        Refused{"reserved_message_type", R"({"message":{"data":{"message_type":"x"}}})", BELFRY_BAD_REQUEST,
                "message.data.message_type"},
        Refused{"reserved_gcm", R"({"message":{"data":{"gcm.notification.x":"x"}}})", BELFRY_BAD_REQUEST,
                "message.data.gcm.notification.x"},
        Refused{"reserved_google", R"({"message":{"android":{"data":{"google.c":"x"}}}})", BELFRY_BAD_REQUEST,
                "message.android.data.google.c"},
        Refused{"apns_header_is_a_number", R"({"message":{"apns":{"headers":{"apns-priority":5}}}})",
                BELFRY_BAD_REQUEST, "message.apns.headers.apns-priority"},
        Refused{"webpush_data", R"({"message":{"webpush":{"data":{"k":true}}}})", BELFRY_BAD_REQUEST,
                "message.webpush.data.k"},
        Refused{"E6_data_over_4096", data_of(4097), BELFRY_TOO_LARGE, "message.data"},
        Refused{"topic_with_prefix", kGood, BELFRY_BAD_REQUEST, "target", BELFRY_CONTENT_TOPIC, "/topics/news"},
        Refused{"topic_too_long", kGood, BELFRY_BAD_REQUEST, "target", BELFRY_CONTENT_TOPIC, std::string(901, 't')},
        Refused{"topic_empty", kGood, BELFRY_BAD_REQUEST, "target", BELFRY_CONTENT_TOPIC, ""},
        Refused{"condition_of_six", kGood, BELFRY_BAD_REQUEST, "target", BELFRY_CONTENT_CONDITION,
                "'a' in topics || 'b' in topics || 'c' in topics || 'd' in topics || 'e' in topics || 'f' in topics"},
        Refused{"condition_of_none", kGood, BELFRY_BAD_REQUEST, "target", BELFRY_CONTENT_CONDITION, "a && b"},
        Refused{"channel", kGood, BELFRY_UNSUPPORTED, "", BELFRY_CONTENT_CHANNEL, "c"}),
    case_name<Refused>);

TEST(FcmPlan, LetsThroughWhatOnlyLooksReserved) {
    FcmBed bed;
    EXPECT_TRUE(bed.prepare(R"({"message":{"data":{"collapse_key":"x","From":"x","gcmx":"x","sender":"x"},)"
                            R"("webpush":{"data":{"from":"x"}}}})"))
        << bed.trouble.where;
}

TEST(FcmPlan, SizesAreJudgedOnlyWhenFinal) {
    FcmBed bed;
    EXPECT_TRUE(bed.prepare(data_of(4096))) << bed.trouble.text;
    EXPECT_TRUE(bed.prepare(data_of(9000), "t", BELFRY_CONTENT_TOKENS, "", BELFRY_CONTENT_HAS_HOLES));
    EXPECT_TRUE(bed.host.log.lines.empty());
    EXPECT_TRUE(bed.prepare(data_of(2049), "", BELFRY_CONTENT_TOPIC, "news"));
    ASSERT_EQ(bed.host.log.lines.size(), 1U);
    EXPECT_EQ(bed.host.log.lines[0].level, LogLevel::Warning);
    EXPECT_EQ(bed.host.log.lines[0].fields, "bytes=2049 documented_limit=2048");
}

struct Token {
    std::string text;
    bool good;
};
TEST(FcmToken, IsCheckedAndIsItsOwnIdentity) {
    FcmBed bed;
    const Token tokens[] = {{"ok-1", true},
                            {"cXy:APA91b_-.%~", true},
                            {std::string(4096, 'a'), true},
                            {"", false},
                            {std::string(4097, 'a'), false},
                            {"a b", false},
                            {"a\"b", false},
                            {"a'b", false},
                            {"a\\b", false},
                            {std::string("a\0b", 3), false},
                            {"a\xC3\xA9", false},
                            {"a\x7F", false}};
    for (const Token& token : tokens) {
        auto asked = sized<belfry_token>();
        asked.platform = str("android");
        asked.token = str(std::string_view(token.text));
        belfry_why why{};
        int emitted = 0;
        const belfry_code code = collect<belfry_token>(
            [&](auto emit, void* ctx) { return bed.provider().validate(bed.instance(), &asked, emit, ctx, &why); },
            [&](const belfry_token& row) {
                ++emitted;
                EXPECT_EQ(view(row.token), token.text);
                EXPECT_EQ(view(row.identity), token.text);
                EXPECT_EQ(row.data.n, 0U);
            });
        EXPECT_EQ(code, token.good ? BELFRY_OK : BELFRY_BAD_REQUEST) << token.text;
        EXPECT_EQ(emitted, token.good ? 1 : 0);
        if (!token.good) {
            EXPECT_STRNE(why.text, "");
        }
    }
}

TEST(FcmPlugin, SaysWhoItIs) {
    FcmBed bed;
    EXPECT_EQ(view(bed.main().id), "fcm");
    EXPECT_EQ(bed.main().draft_revision, static_cast<uint32_t>(BELFRY_DRAFT_REVISION));
    EXPECT_EQ(bed.provider().per_minute_default, 600'000U);
    EXPECT_EQ(bed.provider().encode, nullptr);
    EXPECT_EQ(bed.provider().send, nullptr);
    EXPECT_EQ(bed.main().get_interface(bed.instance(), str("belfry.provider/2")), nullptr);
}

}  // namespace
}  // namespace belfry::fakes
