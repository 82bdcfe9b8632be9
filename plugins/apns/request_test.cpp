// SPDX-License-Identifier: Apache-2.0
// From a payload to a request: what goes through untouched, what is filled in, what is refused before it is sent.
#include <algorithm>

#include "fakes/apns_bed.h"

namespace belfry::fakes {
namespace {

const std::string kHello = R"({"aps":{"alert":"hi"}})";

std::string headers_of(const std::optional<Request>& request) {
    if (!request) return "refused";
    std::vector<std::string> sorted = request->headers;
    std::sort(sorted.begin(), sorted.end());
    std::string out;
    for (const std::string& header : sorted) out += header + "\n";
    return out;
}

TEST(ApnsRequest, A1_FillsInWhatTheCallerLeftOut) {
    ApnsBed bed;
    const auto request = bed.prepare(R"({"payload":)" + kHello + "}", "00fc");
    ASSERT_TRUE(request) << bed.trouble.text;
    EXPECT_EQ(request->method, "POST");
    EXPECT_EQ(request->path, "/3/device/00fc");
    EXPECT_EQ(request->body, kHello);
    EXPECT_EQ(request->credential, 0);
    EXPECT_EQ(headers_of(request), "apns-id: <delivery-id>\napns-push-type: alert\napns-topic: com.example.app\n");
}

TEST(ApnsRequest, WhatTheCallerGaveGoesThroughUntouched) {
    ApnsBed bed;
    const std::string payload = R"({ "aps" : {"alert":"h\u00efi", "sound":1e2} })";
    const auto request = bed.prepare(
        R"({"headers":{"apns-topic":"com.other","apns-push-type":"alert","apns-priority":"5","apns-expiration":"7",)"
        R"("apns-collapse-id":"a\"b","apns-id":"eabeae54-14a8-11e5-b60b-1697f925ec7b","X-Own":"yes"},"payload":)" +
            payload + "}",
        "00fc", BELFRY_CONTENT_TOKENS, "", 0, 9'000);
    ASSERT_TRUE(request) << bed.trouble.text;
    EXPECT_EQ(request->body, payload);
    EXPECT_EQ(headers_of(request),
              "apns-collapse-id: a\"b\napns-expiration: 7\napns-id: eabeae54-14a8-11e5-b60b-1697f925ec7b\n"
              "apns-priority: 5\napns-push-type: alert\napns-topic: com.other\nx-own: yes\n");
}

TEST(ApnsRequest, WhatNoRequestCanCarryIsRefusedByName) {
    ApnsBed bed;
    const auto where = [&](const std::string& headers) {
        EXPECT_FALSE(bed.prepare(R"({"headers":{)" + headers + R"(},"payload":{}})")) << headers;
        return bed.trouble.where;
    };
    for (const char* name : {"Expect", "trailer", "proxy-connection", "te", "apns-channel-id", "authorization"})
        EXPECT_EQ(where('"' + std::string(name) + R"(":"x")"), "headers." + std::string(name));
    EXPECT_EQ(where(R"("x-own":" a")"), "headers.x-own");
    EXPECT_EQ(where(R"("x-own":"a ")"), "headers.x-own");
    std::string many = R"("h":"")";
    for (int i = 0; i < 48; ++i) many += R"(,"h)" + std::to_string(i) + R"(":"")";
    EXPECT_EQ(where(many), "headers");
}

TEST(ApnsRequest, TheTopicGetsThePushTypesSuffix) {
    const std::pair<const char*, const char*> types[] = {{"alert", ""},
                                                         {"background", ""},
                                                         {"voip", ".voip"},
                                                         {"complication", ".complication"},
                                                         {"fileprovider", ".pushkit.fileprovider"},
                                                         {"mdm", ""},
                                                         {"location", ".location-query"},
                                                         {"liveactivity", ".push-type.liveactivity"},
                                                         {"pushtotalk", ".voip-ptt"},
                                                         {"widgets", ".push-type.widgets"},
                                                         {"controls", ".push-type.controls"},
                                                         {"brandnew", ""}};
    for (const auto& [type, suffix] : types) {
        ApnsBed bed;
        const auto request =
            bed.prepare(R"({"headers":{"apns-push-type":")" + std::string(type) + R"("},"payload":)" + kHello + "}");
        ASSERT_TRUE(request) << type << ": " << bed.trouble.text;
        const std::string priority = std::string(type) == "background" ? "apns-priority: 5\n" : "";
        EXPECT_EQ(headers_of(request), "apns-id: <delivery-id>\n" + priority + "apns-push-type: " + type +
                                           "\napns-topic: com.example.app" + suffix + "\n");
        EXPECT_EQ(bed.host.log.lines.empty(), std::string(type) != "brandnew");
    }
}

TEST(ApnsRequest, ThePushTypeIsDerivedFromTopicAndPayload) {
    const auto type_of = [](const std::string& content) {
        ApnsBed bed;
        const std::string headers = headers_of(bed.prepare(content));
        const size_t at = headers.find("apns-push-type: ");
        return at == std::string::npos ? headers : headers.substr(at + 16, headers.find('\n', at) - at - 16);
    };
    EXPECT_EQ(type_of(R"({"payload":{"aps":{"content-available":1}}})"), "background");
    EXPECT_EQ(type_of(R"({"payload":{"aps":{"content-available":1,"badge":2}}})"), "alert");
    EXPECT_EQ(type_of(R"({"payload":{"aps":{"content-available":1,"alert":"x"}}})"), "alert");
    EXPECT_EQ(type_of(R"({"payload":{"aps":{"event":"update","content-state":{}}}})"), "liveactivity");
    EXPECT_EQ(type_of(R"({"headers":{"apns-topic":"com.a.voip"},"payload":{}})"), "voip");
    EXPECT_EQ(type_of(R"({"headers":{"apns-topic":"com.a.voip-ptt"},"payload":{}})"), "pushtotalk");
    EXPECT_EQ(type_of(R"({"headers":{},"payload":{}})"), "alert");
}

TEST(ApnsRequest, ThePushsExpiryIsTheHeaders) {
    ApnsBed bed;
    const auto request =
        bed.prepare(R"({"payload":)" + kHello + "}", "00", BELFRY_CONTENT_TOKENS, "", 0, 1'700'000'000'500);
    EXPECT_NE(headers_of(request).find("apns-expiration: 1700000000\n"), std::string::npos);
}

TEST(ApnsRequest, EnvironmentsArePlans) {
    const auto plans = [](const std::string& environment) {
        ApnsBed bed(kApnsKeySection + kApnsTopic + R"(,"environment":")" + environment + "\"");
        EXPECT_TRUE(bed.prepare(R"({"payload":{}})")) << bed.trouble.text;
        std::string out;
        for (const Request& request : bed.requests)
            out += std::to_string(request.variant) + "@" + std::to_string(request.endpoint) + " ";
        return out;
    };
    EXPECT_EQ(plans("production"), "0@0 ");
    EXPECT_EQ(plans("sandbox"), "1@0 ");
    EXPECT_EQ(plans("both"), "0@0 1@1 2@0 3@1 ");
}

TEST(ApnsRequest, A8_A9_A10_RefusesWhatApnsWouldRefuse) {
    struct Case {
        std::string content;
        belfry_code code;
        const char* where;
    };
    const auto headers = [](const std::string& members) { return R"({"headers":{)" + members + R"(},"payload":{}})"; };
    const auto sized_payload = [](size_t size, const std::string& type) {
        return R"({"headers":{"apns-push-type":")" + type + R"("},"payload":{"a":")" + std::string(size - 8, 'x') +
               "\"}}";
    };
    const Case cases[] = {
        {"[]", BELFRY_BAD_REQUEST, "payload"},
        {"{", BELFRY_BAD_REQUEST, ""},
        {R"({"payload":[]})", BELFRY_BAD_REQUEST, "payload"},
        {R"({"headers":[],"payload":{}})", BELFRY_BAD_REQUEST, "headers"},
        {headers(R"("apns-priority":5)"), BELFRY_BAD_REQUEST, "headers.apns-priority"},
        {headers(R"("apns-priority":"7")"), BELFRY_BAD_REQUEST, "headers.apns-priority"},
        {headers(R"("apns-push-type":"background","apns-priority":"10")"), BELFRY_BAD_REQUEST, "headers.apns-priority"},
        {headers(R"("apns-expiration":"soon")"), BELFRY_BAD_REQUEST, "headers.apns-expiration"},
        {headers(R"("apns-id":"EABEAE54-14A8-11E5-B60B-1697F925EC7B")"), BELFRY_BAD_REQUEST, "headers.apns-id"},
        {headers(R"("apns-collapse-id":")" + std::string(65, 'c') + "\""), BELFRY_BAD_REQUEST,
         "headers.apns-collapse-id"},
        {headers(R"("apns-collapse-id":"\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac)"
                 R"(\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac")"),
         BELFRY_BAD_REQUEST, "headers.apns-collapse-id"},
        {headers(R"("authorization":"bearer x")"), BELFRY_BAD_REQUEST, "headers.authorization"},
        {headers(R"(":path":"/")"), BELFRY_BAD_REQUEST, "headers.:path"},
        {headers(R"("apns-topic":"a\nb")"), BELFRY_BAD_REQUEST, "headers.apns-topic"},
        {headers(R"("apns-topic":"a","Apns-Topic":"b")"), BELFRY_BAD_REQUEST, "headers.Apns-Topic"},
        {sized_payload(4097, "alert"), BELFRY_TOO_LARGE, "payload"},
        {sized_payload(5121, "voip"), BELFRY_TOO_LARGE, "payload"}};
    for (const Case& c : cases) {
        ApnsBed bed;
        EXPECT_FALSE(bed.prepare(c.content)) << c.content;
        EXPECT_EQ(bed.trouble.code, c.code) << c.content;
        EXPECT_EQ(bed.trouble.where, c.where) << c.content;
        EXPECT_NE(bed.trouble.text, "") << c.content;
    }
    ApnsBed bed;
    EXPECT_TRUE(bed.prepare(sized_payload(4096, "alert")));
    EXPECT_TRUE(bed.prepare(sized_payload(5120, "voip")));
    EXPECT_TRUE(bed.prepare(headers(R"("apns-collapse-id":")" + std::string(64, 'c') + "\"")));
    ApnsBed no_topic(kApnsKeySection);
    EXPECT_FALSE(no_topic.prepare(R"({"payload":{}})"));
    EXPECT_EQ(no_topic.trouble.where, "headers.apns-topic");
    EXPECT_TRUE(no_topic.prepare(R"({"headers":{"apns-topic":"com.a"},"payload":{}})"));
}

TEST(ApnsRequest, ChecksOnlyWhenAskedTo) {
    ApnsBed bed;
    EXPECT_FALSE(bed.prepare(R"({"payload":{}})", "00", BELFRY_CONTENT_TOKENS, "", BELFRY_CONTENT_CHECK_ONLY));
    EXPECT_EQ(bed.trouble.code, BELFRY_OK);
    EXPECT_FALSE(bed.has_prepared());
    for (const int32_t kind : {BELFRY_CONTENT_TOPIC, BELFRY_CONTENT_CONDITION}) {
        EXPECT_FALSE(bed.prepare(R"({"payload":{}})", "", kind, "news"));
        EXPECT_EQ(bed.trouble.code, BELFRY_UNSUPPORTED);
    }
    EXPECT_FALSE(bed.prepare(R"({"payload":{}})", "00", BELFRY_CONTENT_TOKENS, "", BELFRY_CONTENT_DRY_RUN));
    EXPECT_EQ(bed.trouble.code, BELFRY_UNSUPPORTED);
}

TEST(ApnsRequest, HeadersAreRenderedLikeThePayload) {
    ApnsBed bed;
    const auto request = bed.prepare(R"({"headers":{"apns-collapse-id":"a\"b"},"payload":)" + kHello + "}", "00",
                                     BELFRY_CONTENT_TOKENS, "", BELFRY_CONTENT_HAS_HOLES);
    ASSERT_TRUE(request) << bed.trouble.text;
    EXPECT_NE(headers_of(request).find("apns-collapse-id: a\"b\n"), std::string::npos);
}

TEST(ApnsRequest, BroadcastsGoToAChannelOfTheApp) {
    ApnsBed bed;
    const std::string content = R"({"payload":{"aps":{"event":"update"}}})";
    const auto request = bed.prepare(content, "", BELFRY_CONTENT_CHANNEL, "dHN0LXNyY2gtY2hubA==");
    ASSERT_TRUE(request) << bed.trouble.text;
    EXPECT_EQ(request->path, "/4/broadcasts/apps/com.example.app");
    EXPECT_EQ(request->endpoint, 1);
    EXPECT_EQ(headers_of(request),
              "apns-channel-id: dHN0LXNyY2gtY2hubA==\napns-expiration: 0\napns-push-type: liveactivity\n");
    EXPECT_EQ(bed.requests.size(), 1U);
    const auto expiring = bed.prepare(content, "", BELFRY_CONTENT_CHANNEL, "c", 0, 1'700'000'000'000);
    EXPECT_NE(headers_of(expiring).find("apns-expiration: 1700000000\n"), std::string::npos);
    ASSERT_EQ(bed.requests.size(), 2U) << "a second plan, for channels that store nothing";
    EXPECT_EQ(bed.requests[1].variant, 2U);
    EXPECT_EQ(headers_of(bed.requests[1]), "apns-channel-id: c\napns-expiration: 0\napns-push-type: liveactivity\n");
    EXPECT_TRUE(bed.prepare(R"({"headers":{"apns-expiration":"7"},"payload":{}})", "", BELFRY_CONTENT_CHANNEL, "c", 0,
                            1'700'000'000'000));
    EXPECT_EQ(bed.requests.size(), 1U) << "the caller's own expiration goes through";
    EXPECT_FALSE(bed.prepare(content, "", BELFRY_CONTENT_CHANNEL, "no id\n"));
    EXPECT_EQ(bed.trouble.where, "target");
    EXPECT_FALSE(bed.prepare(R"({"headers":{"apns-topic":"a/../b"},"payload":{}})", "", BELFRY_CONTENT_CHANNEL, "c"));
    EXPECT_EQ(bed.trouble.where, "headers.apns-topic");
}

}  // namespace
}  // namespace belfry::fakes
