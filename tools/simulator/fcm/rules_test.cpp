// SPDX-License-Identifier: Apache-2.0
// The small pure parts: durations, timestamps, conditions, token classes, routes, base64url.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "fcm/base64url.h"
#include "fcm/condition.h"
#include "fcm/proto_check.h"
#include "fcm/routes.h"
#include "fcm/token_class.h"

namespace belfry::simulator {
namespace {

TEST(Duration, IsRoundedDownToSeconds) {
    EXPECT_EQ(parse_duration("0s"), 0);
    EXPECT_EQ(parse_duration("3.999999999s"), 3);
    EXPECT_EQ(parse_duration("2419200s"), 2'419'200);
    EXPECT_LT(parse_duration("-0.5s").value(), 0);
    for (const char* text : {"", "s", "5", "5m", "1.s", ".5s", "1.0000000001s", "1e3s", " 1s", "--1s"}) {
        EXPECT_FALSE(parse_duration(text).has_value()) << text;
    }
}

TEST(Timestamp, FollowsRfc3339) {
    for (const char* text : {"2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123Z", "2026-01-02T03:04:05+01:30"}) {
        EXPECT_TRUE(is_timestamp(text)) << text;
    }
    for (const char* text : {"2026-01-02", "2026-01-02T03:04:05", "2026-13-02T03:04:05Z", "2026-01-02 03:04:05Z",
                             "2026-01-02T24:04:05Z", "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05+0130"}) {
        EXPECT_FALSE(is_timestamp(text)) << text;
    }
}

TEST(Condition, IsEvaluatedWithNotBeforeAndBeforeOr) {
    const std::set<std::string, std::less<>> mine{"a", "b"};
    const auto value = [&](const char* text) {
        return evaluate_condition(text, [&](std::string_view topic) { return mine.contains(topic); });
    };
    EXPECT_EQ(value("'a' in topics"), true);
    EXPECT_EQ(value("!'a' in topics"), false);
    EXPECT_EQ(value("'x' in topics && 'x' in topics || 'a' in topics"), true);
    EXPECT_EQ(value("'x' in topics && ('x' in topics || 'a' in topics)"), false);
    EXPECT_EQ(value("!('a' in topics && 'x' in topics) && 'b' in topics"), true);
    for (const char* text : {"", "a in topics", "'a' topics", "('a' in topics", "'a' in topics &&", "'a b' in topics",
                             "'a' in topics 'b' in topics",
                             "'1' in topics || '2' in topics || '3' in topics || '4' in topics || '5' in topics || '6' "
                             "in topics"}) {
        EXPECT_FALSE(value(text).has_value()) << text;
    }
    EXPECT_FALSE(value(std::string(5000, '(').c_str()).has_value());
}

TEST(TokenClass, IsReadFromThePrefix) {
    EXPECT_EQ(classify_token("ok-1").behaviour, TokenBehaviour::Accept);
    EXPECT_EQ(classify_token("anything").behaviour, TokenBehaviour::Accept);
    EXPECT_EQ(classify_token("unreg-1").behaviour, TokenBehaviour::Unregistered);
    EXPECT_EQ(classify_token("bad-1").behaviour, TokenBehaviour::Malformed);
    EXPECT_EQ(classify_token("badfield-1").behaviour, TokenBehaviour::MalformedByField);
    EXPECT_EQ(classify_token("slow-250-x").slow_ms, 250U);
    EXPECT_EQ(classify_token("r503-3-x").failures, 3U);
    EXPECT_FALSE(classify_token("r503-3-x").always);
    EXPECT_TRUE(classify_token("r500-x").always);
    EXPECT_TRUE(classify_token("dev429-phone").always);
    EXPECT_EQ(classify_token("dev429-2-phone").failures, 2U);
}

TEST(Base64Url, GoesBothWaysAndTakesNoPadding) {
    for (const std::string text : {"", "a", "ab", "abc", "\xff\xfe\xfd\xfc"}) {
        EXPECT_EQ(base64url_decode(base64url_encode(text)), text);
    }
    EXPECT_EQ(base64url_encode("\xfb\xff"), "-_8");
    for (const char* text : {"YQ==", "a", "a+/b", "a b"}) EXPECT_FALSE(base64url_decode(text).has_value()) << text;
}

Request request(const char* method, const char* path, const char* query = "") {
    Request made;
    made.method = method;
    made.path = path;
    made.query = query;
    return made;
}

TEST(Routes, AreThoseOfGoogle) {
    EXPECT_EQ(match_route(request("POST", "/token")).method, FcmMethod::Token);
    const RouteMatch send = match_route(request("POST", "/v1/projects/demo/messages:send"));
    EXPECT_EQ(send.method, FcmMethod::Send);
    EXPECT_EQ(send.project, "demo");
    EXPECT_EQ(match_route(request("POST", "/iid/v1:batchAdd")).method, FcmMethod::IidBatchAdd);
    const RouteMatch create =
        match_route(request("POST", "/v1/projects/p/registrations/a%2Fb%3Ac/topicSubscriptions", "topic_name=x%25y"));
    EXPECT_EQ(create.method, FcmMethod::SubscriptionCreate);
    EXPECT_EQ(create.registration, "a/b:c");
    EXPECT_EQ(create.topic, "x%y");
    EXPECT_EQ(match_route(request("DELETE", "/v1/projects/p/registrations/t/topicSubscriptions/x")).method,
              FcmMethod::SubscriptionDelete);
    for (const char* path : {"/", "/batch", "/fcm/send", "/v1/messages:send", "/v1/projects/demo/messages",
                             "/v1/projects/demo/messages:send/x", "/token/", "/v1/projects/%zz/messages:send"}) {
        EXPECT_EQ(match_route(request("POST", path)).method, FcmMethod::Unknown) << path;
    }
    EXPECT_EQ(match_route(request("GET", "/v1/projects/demo/messages:send")).method, FcmMethod::Unknown);
}

}  // namespace
}  // namespace belfry::simulator
