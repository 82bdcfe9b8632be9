// SPDX-License-Identifier: Apache-2.0
// Channel calls: the request that APNs gets, what each answer means, and the token that they share with sends.
#include "fakes/apns_bed.h"

namespace belfry::fakes {
namespace {

constexpr int32_t kCreate = BELFRY_CHANNEL_CREATE, kGet = BELFRY_CHANNEL_GET, kDelete = BELFRY_CHANNEL_DELETE,
                  kList = BELFRY_CHANNEL_LIST;
const std::string kId = "dHN0LXNyY2gtY2hubA==";

http::CallAnswer answer(int status, const std::string& body = "", const std::string& id = "") {
    http::CallAnswer made;
    made.status = status;
    made.body = body;
    if (!id.empty()) made.headers.emplace_back("apns-channel-id", id);
    return made;
}
http::CallAnswer refusal(int status, const std::string& reason) {
    return answer(status, R"({"reason":")" + reason + "\"}");
}
std::string header_of(const http::CallRequest& request, std::string_view name) {
    for (const auto& [key, value] : request.headers) {
        if (key == name) return value;
    }
    return "";
}
std::string line_of(const ScriptedHttp::Asked& asked) {
    return asked.request.method + " " + asked.request.path + " " + header_of(asked.request, "apns-channel-id") + " " +
           asked.request.body;
}
using Rows = std::vector<std::string>;

TEST(ApnsChannels, AreMadeReadListedAndDeletedAtTheManagementHost) {
    ApnsBed bed;
    auto& http = bed.host.http;
    ASSERT_EQ(http.endpoints.size(), 4U);
    for (const size_t i : {2U, 3U}) {
        EXPECT_EQ(http.endpoints[i].url, "https://api-manage-broadcast.push.apple.com:2196");
        EXPECT_EQ(http.endpoints[i].partition.rfind(http.endpoints[0].partition + "/", 0), 0U);
    }
    EXPECT_NE(http.endpoints[2].partition, http.endpoints[3].partition);
    http.answers = {answer(201, "", kId), answer(200, R"({"message-storage-policy":1,"push-type":"LiveActivity"})"),
                    answer(200, R"({"channels":["a+/=","b"]})"), answer(204), answer(200, R"({"channels":[]})")};
    EXPECT_EQ(bed.channels(kCreate, "", "", "", BELFRY_CHANNEL_STORES), Rows{kId + " LiveActivity 1"});
    EXPECT_EQ(bed.channels(kGet, kId), Rows{kId + " LiveActivity 1"});
    EXPECT_EQ(bed.channels(kList, "", "com.other"), (Rows{"a+/=  0", "b  0"}));
    EXPECT_EQ(bed.channels(kDelete, kId), Rows{});
    EXPECT_EQ(bed.channels(kList), Rows{});
    ASSERT_EQ(http.asked.size(), 5U);
    EXPECT_EQ(line_of(http.asked[0]),
              "POST /1/apps/com.example.app/channels  "
              R"({"message-storage-policy":1,"push-type":"LiveActivity"})");
    EXPECT_EQ(line_of(http.asked[1]), "GET /1/apps/com.example.app/channels " + kId + " ");
    EXPECT_EQ(line_of(http.asked[2]), "GET /1/apps/com.other/all-channels  ");
    EXPECT_EQ(line_of(http.asked[3]), "DELETE /1/apps/com.example.app/channels " + kId + " ");
    for (const ScriptedHttp::Asked& asked : http.asked) {
        EXPECT_EQ(asked.endpoint, 2);
        EXPECT_EQ(asked.deadline_mono_ns, 77);
        EXPECT_EQ(header_of(asked.request, "authorization"), header_of(http.asked[0].request, "authorization"));
    }
    EXPECT_EQ(header_of(http.asked[0].request, "authorization").rfind("bearer ey", 0), 0U);
}

TEST(ApnsChannels, BelongToTheInstancesEnvironmentAndEndpoint) {
    const auto url = [](const std::string& more) {
        ApnsBed bed(kApnsKeySection + kApnsTopic + more);
        return bed.host.http.endpoints.back().url;
    };
    EXPECT_EQ(url(R"(,"environment":"sandbox")"), "https://api-manage-broadcast.sandbox.push.apple.com:2195");
    EXPECT_EQ(url(R"(,"environment":"both")"), "https://api-manage-broadcast.push.apple.com:2196");
    EXPECT_EQ(url(R"(,"channel_endpoint":"https://localhost:9")"), "https://localhost:9");
}

TEST(ApnsChannels, CertificatesSpeakForThemselves) {
    ApnsBed bed(R"("certificate":{"$secret":"p12"},"certificate_password":{"$secret":"password"})");
    bed.host.http.answers = {answer(204)};
    EXPECT_TRUE(bed.channels(kDelete, kId));
    EXPECT_EQ(header_of(bed.host.http.asked.at(0).request, "authorization"), "");
    EXPECT_NE(bed.host.http.endpoints.back().client_cert_pem, "");
    EXPECT_EQ(line_of(bed.host.http.asked[0]), "DELETE /1/apps/com.example.app/channels " + kId + " ");
}

TEST(ApnsChannels, RefuseWhatApnsWouldRefuseWithoutAsking) {
    ApnsBed bed;
    struct Case {
        int32_t verb;
        std::string id, topic, push_type;
        const char* where;
    };
    const Case cases[] = {{kGet, "", "", "", "id"},
                          {kGet, "a b", "", "", "id"},
                          {kDelete, "a\nx: y", "", "", "id"},
                          {kDelete, std::string(1025, 'a'), "", "", "id"},
                          {kCreate, "", "a/../b", "", "topic"},
                          {kCreate, "", "..", "", "topic"},
                          {kCreate, "", "com.example.", "", "topic"},
                          {kList, "", "a b", "", "topic"},
                          {kCreate, "", "", "Alert", "push_type"}};
    for (const Case& c : cases) {
        EXPECT_FALSE(bed.channels(c.verb, c.id, c.topic, c.push_type)) << c.where;
        EXPECT_EQ(bed.trouble.code, BELFRY_BAD_REQUEST) << c.where;
        EXPECT_EQ(bed.trouble.where, c.where);
    }
    EXPECT_FALSE(bed.channels(99));
    EXPECT_EQ(bed.trouble.code, BELFRY_UNSUPPORTED);
    ApnsBed no_topic(kApnsKeySection);
    EXPECT_FALSE(no_topic.channels(kList));
    EXPECT_EQ(no_topic.trouble.where, "topic");
    EXPECT_TRUE(bed.host.http.asked.empty());
}

struct Case {
    const char* name;
    http::CallAnswer answer;
    belfry_code code;
    const char* where;
    uint32_t retry_after_ms;
    const char* word;
    friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};
const Case kCases[] = {
    {"FeatureNotEnabled", refusal(400, "FeatureNotEnabled"), BELFRY_CONFIG, "topic", 0, "FeatureNotEnabled"},
    {"MissingChannelId", refusal(400, "MissingChannelId"), BELFRY_BAD_REQUEST, "id", 0, "MissingChannelId"},
    {"BadChannelId", refusal(400, "BadChannelId"), BELFRY_NOT_FOUND, "id", 0, "BadChannelId"},
    {"ChannelNotRegistered", refusal(400, "ChannelNotRegistered"), BELFRY_NOT_FOUND, "id", 0, "ChannelNotRegistered"},
    {"BadRequestParams", refusal(400, "BadRequestParams"), BELFRY_CONFIG, "", 0, "BadRequestParams"},
    {"BadRequestPayload", refusal(400, "BadRequestPayload"), BELFRY_BAD_REQUEST, "", 0, "BadRequestPayload"},
    {"PayloadEmpty", refusal(400, "PayloadEmpty"), BELFRY_CONFIG, "", 0, "PayloadEmpty"},
    {"BadMessageId", refusal(400, "BadMessageId"), BELFRY_CONFIG, "", 0, "BadMessageId"},
    {"MissingPushType", refusal(400, "MissingPushType"), BELFRY_BAD_REQUEST, "push_type", 0, "MissingPushType"},
    {"InvalidPushType", refusal(400, "InvalidPushType"), BELFRY_BAD_REQUEST, "push_type", 0, "InvalidPushType"},
    {"CannotCreateChannelConfig", refusal(400, "CannotCreateChannelConfig"), BELFRY_CONFLICT, "topic", 0,
     "CannotCreateChannelConfig"},
    {"BadExpirationDate", refusal(400, "BadExpirationDate"), BELFRY_CONFIG, "", 0, "BadExpirationDate"},
    {"TopicDisallowed", refusal(400, "TopicDisallowed"), BELFRY_CONFIG, "topic", 0, "TopicDisallowed"},
    {"BadPriority", refusal(400, "BadPriority"), BELFRY_CONFIG, "", 0, "BadPriority"},
    {"BadCertificate", refusal(403, "BadCertificate"), BELFRY_AUTH, "", 0, "BadCertificate"},
    {"BadCertificateEnvironment", refusal(403, "BadCertificateEnvironment"), BELFRY_AUTH, "", 0,
     "BadCertificateEnvironment"},
    {"TopicMismatch", refusal(403, "TopicMismatch"), BELFRY_CONFIG, "topic", 0, "TopicMismatch"},
    {"MissingProviderToken", refusal(403, "MissingProviderToken"), BELFRY_AUTH, "", 0, "MissingProviderToken"},
    {"ExpiredProviderToken", refusal(403, "ExpiredProviderToken"), BELFRY_AUTH, "", 0, "ExpiredProviderToken"},
    {"InvalidProviderToken", refusal(403, "InvalidProviderToken"), BELFRY_AUTH, "", 0, "InvalidProviderToken"},
    {"UnrelatedKeyIdInToken", refusal(403, "UnrelatedKeyIdInToken"), BELFRY_RETRY_LATER, "", 60'000,
     "UnrelatedKeyIdInToken"},
    {"BadEnvironmentKeyIdInToken", refusal(403, "BadEnvironmentKeyIdInToken"), BELFRY_AUTH, "", 0,
     "BadEnvironmentKeyIdInToken"},
    {"BadEnvironmentKeyInToken", refusal(403, "BadEnvironmentKeyInToken"), BELFRY_AUTH, "", 0,
     "BadEnvironmentKeyInToken"},
    {"bare_403", answer(403), BELFRY_AUTH, "", 0, "HTTP 403"},
    {"BadPath", refusal(404, "BadPath"), BELFRY_CONFIG, "", 0, "BadPath"},
    {"MethodNotAllowed", refusal(405, "MethodNotAllowed"), BELFRY_CONFIG, "", 0, "MethodNotAllowed"},
    {"PayloadTooLarge", refusal(413, "PayloadTooLarge"), BELFRY_TOO_LARGE, "", 0, "PayloadTooLarge"},
    {"TooManyRequests", refusal(429, "TooManyRequests"), BELFRY_BUSY, "", 30'000, "TooManyRequests"},
    {"TooManyProviderTokenUpdates", refusal(429, "TooManyProviderTokenUpdates"), BELFRY_BUSY, "", 60'000,
     "TooManyProviderTokenUpdates"},
    {"InternalServerError", refusal(500, "InternalServerError"), BELFRY_RETRY_LATER, "", 5'000, "InternalServerError"},
    {"ServiceUnavailable", refusal(503, "ServiceUnavailable"), BELFRY_RETRY_LATER, "", 5'000, "ServiceUnavailable"},
    {"Service_Unavailable", refusal(503, "Service Unavailable"), BELFRY_RETRY_LATER, "", 5'000, "Service Unavailable"},
    {"html", answer(502, "<html>"), BELFRY_RETRY_LATER, "", 5'000, "HTTP 502"},
    {"SomethingNew", refusal(418, "Something\\nNew"), BELFRY_CONFIG, "", 0, "Something New"},
    {"redirect", answer(302), BELFRY_CONFIG, "", 0, "HTTP 302"},
};

class ApnsChannelRefusal : public testing::TestWithParam<Case> {};

TEST_P(ApnsChannelRefusal, SaysWhatIsWrongAndWhatToDo) {
    const Case& c = GetParam();
    ApnsBed bed;
    bed.host.http.answers = {c.answer};
    EXPECT_FALSE(bed.channels(kGet, kId));
    EXPECT_EQ(bed.trouble.code, c.code);
    EXPECT_EQ(bed.trouble.where, c.where);
    EXPECT_EQ(bed.trouble.retry_after_ms, c.retry_after_ms);
    EXPECT_EQ(bed.trouble.text.substr(0, bed.trouble.text.find(':')), c.word);
    EXPECT_GT(bed.trouble.text.size(), std::string(c.word).size() + 10);
    EXPECT_EQ(bed.trouble.text.find('\n'), std::string::npos);
}
INSTANTIATE_TEST_SUITE_P(, ApnsChannelRefusal, testing::ValuesIn(kCases), case_name<Case>);

TEST(ApnsChannels, ATopicThatTheCallerNamedIsTheCallersMistake) {
    for (const char* reason : {"TopicDisallowed", "FeatureNotEnabled"}) {
        ApnsBed bed;
        bed.host.http.answers = {refusal(400, reason)};
        EXPECT_FALSE(bed.channels(kList, "", "com.other"));
        EXPECT_EQ(bed.trouble.code, BELFRY_BAD_REQUEST);
        EXPECT_EQ(bed.trouble.where, "topic");
    }
}

TEST(ApnsChannels, WhatIsNoAnswerOfApnsIsNotBelieved) {
    struct Nonsense {
        int32_t verb;
        http::CallAnswer answer;
    };
    const Nonsense cases[] = {{kCreate, answer(201)},
                              {kCreate, answer(201, "", "a\tb")},
                              {kGet, answer(200)},
                              {kGet, answer(200, "[]")},
                              {kGet, answer(200, R"({"push-type":"LiveActivity"})")},
                              {kList, answer(200, "{}")},
                              {kList, answer(200, R"({"channels":{}})")},
                              {kList, answer(200, R"({"channels":["a",7]})")},
                              {kList, answer(200, R"({"channels":["a","b c"]})")}};
    for (const Nonsense& c : cases) {
        ApnsBed bed;
        bed.host.http.answers = {c.answer};
        EXPECT_FALSE(bed.channels(c.verb, c.verb == kGet ? kId : "")) << c.answer.body;
        EXPECT_EQ(bed.trouble.code, BELFRY_CONFIG) << c.answer.body;
        EXPECT_NE(bed.trouble.text.find("channel_endpoint"), std::string::npos);
    }
}

TEST(ApnsChannels, ACreateThatFailedOnTheWayMayHaveHappened) {
    ApnsBed bed;
    EXPECT_FALSE(bed.channels(kCreate));
    EXPECT_EQ(bed.trouble.code, BELFRY_RETRY_LATER);
    EXPECT_NE(bed.trouble.text.find("connection refused"), std::string::npos);
    EXPECT_NE(bed.trouble.text.find("list them before"), std::string::npos);
    EXPECT_FALSE(bed.channels(kList));
    EXPECT_EQ(bed.trouble.text.find("list them before"), std::string::npos);
}

TEST(ApnsChannels, ShareTheProviderTokenWithSends) {
    using std::chrono::minutes;
    ApnsBed bed;
    const auto by_call = [&] {
        bed.host.http.answers = {answer(204)};
        EXPECT_TRUE(bed.channels(kDelete, kId));
        return header_of(bed.host.http.asked.back().request, "authorization");
    };
    const std::string first = by_call();
    bed.host.clock.advance(minutes(19));
    const auto young = bed.authorize();
    ASSERT_TRUE(young);
    EXPECT_EQ(young->value, first) << "not twice in 20 minutes";
    EXPECT_EQ(young->valid_ms, 36 * 60'000);
    EXPECT_EQ(young->refresh_after_ms, 26 * 60'000);
    bed.host.clock.advance(minutes(1));
    const auto second = bed.authorize();
    ASSERT_TRUE(second);
    EXPECT_NE(second->value, first);
    EXPECT_EQ(second->valid_ms, 55 * 60'000);
    bed.host.clock.advance(minutes(44));
    EXPECT_EQ(by_call(), second->value);
    bed.host.clock.advance(minutes(1));
    EXPECT_NE(by_call(), second->value) << "45 minutes old";
}

TEST(ApnsChannels, ATokenThatIsTooOldIsRenewedOnceAndNotTwiceInTwentyMinutes) {
    ApnsBed bed;
    auto& http = bed.host.http;
    http.answers = {refusal(403, "ExpiredProviderToken")};
    EXPECT_FALSE(bed.channels(kDelete, kId));
    EXPECT_EQ(http.asked.size(), 1U) << "it was made just now";
    bed.host.clock.advance(std::chrono::minutes(30));
    http.answers = {refusal(403, "ExpiredProviderToken"), answer(204)};
    EXPECT_TRUE(bed.channels(kDelete, kId)) << bed.trouble.text;
    ASSERT_EQ(http.asked.size(), 3U);
    EXPECT_NE(header_of(http.asked[1].request, "authorization"), header_of(http.asked[2].request, "authorization"));
    EXPECT_NE(http.asked[1].endpoint, http.asked[2].endpoint) << "the first one's connection takes no newer token";
    http.answers = {answer(204)};
    EXPECT_TRUE(bed.channels(kDelete, kId));
    EXPECT_EQ(http.asked[3].endpoint, http.asked[2].endpoint);
}

}  // namespace
}  // namespace belfry::fakes
