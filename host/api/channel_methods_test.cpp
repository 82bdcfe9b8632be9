// SPDX-License-Identifier: Apache-2.0
// apns_channel_*: which instance is asked for what, answers, refusals.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/api_fakes.h"

namespace belfry::api {
namespace {

using Json = nlohmann::json;

std::string summary(const HttpResponse& response) {
    const Json body = Json::parse(response.body);
    if (body.contains("error"))
        return std::to_string(body["error"]["code"].get<int>()) + " " + body["error"]["message"].get<std::string>();
    return "ok " + body["result"].dump();
}

TEST(ChannelMethods, AskTheAppsInstanceAndAnswerInTheDocumentedShapes) {
    ApiBench bench;
    const auto asked = [&](const std::string& method, const std::string& request) {
        bench.channels.asked.clear();
        const std::string answer = summary(bench.post(method, request));
        EXPECT_EQ(bench.channels.asked.size(), 1U) << method << request;
        return bench.channels.asked.empty() ? answer : bench.channels.asked.front() + " -> " + answer;
    };
    EXPECT_EQ(asked("apns_channel_create", "{}"), "apns 0    -> ok {\"id\":\"made\"}");
    EXPECT_EQ(asked("apns_channel_create",
                    R"({"topic":"com.a","message_storage_policy":1,"push_type":"LiveActivity","provider":"apns"})"),
              "apns 0 com.a  LiveActivity stores -> ok {\"id\":\"made\"}");
    EXPECT_EQ(asked("apns_channel_get", R"({"id":"known","topic":"com.a"})"),
              R"(apns 1 com.a known  -> ok {"id":"known","message_storage_policy":1,"push_type":"LiveActivity"})");
    EXPECT_EQ(asked("apns_channel_delete", R"({"id":"known"})"), "apns 2  known  -> ok {}");
    EXPECT_EQ(asked("apns_channel_list", R"({"provider":"smoke"})"),
              R"(smoke 3    -> ok {"items":[{"id":"known"},{"id":"other"}]})");
}

TEST(ChannelMethods, RefuseBeforeTheProviderIsAsked) {
    struct Case {
        const char *method, *request, *answer;
    };
    const Case cases[] = {
        {"apns_channel_get", "{}", "107 id: is required"},
        {"apns_channel_delete", R"({"id":""})", "107 id: must have 1 to 1024 bytes"},
        {"apns_channel_get", R"({"channel":"known"})", "107 channel: is not known here; known are provider, topic, id"},
        {"apns_channel_create", R"({"message_storage_policy":2})",
         "107 message_storage_policy: must be between 0 and 1"},
        {"apns_channel_create", R"({"push_type":"alert"})", "107 push_type: must be one of LiveActivity"},
        {"apns_channel_list", R"({"provider":"hms"})",
         "107 provider: this app has no provider \"hms\"; known are fcm, fcm-main, apns, smoke, webpush"}};
    ApiBench bench;
    for (const Case& c : cases) EXPECT_EQ(summary(bench.post(c.method, c.request)), c.answer) << c.request;
    EXPECT_TRUE(bench.channels.asked.empty());
}

TEST(ChannelMethods, SayWhatTheProviderSaid) {
    ApiBench bench;
    EXPECT_EQ(summary(bench.post("apns_channel_list", R"({"provider":"fcm"})")),
              "107 provider: \"fcm\" does not manage channels");
    EXPECT_EQ(summary(bench.post("apns_channel_get", R"({"id":"gone"})")), "104 id: no such channel");
    struct Case {
        ErrorCode code;
        int status;
        const char* answer;
    };
    const Case cases[] = {{ErrorCode::InvalidArgument, 400, "107 topic: why"},
                          {ErrorCode::Conflict, 409, "113 topic: why"},
                          {ErrorCode::Busy, 429, "111 topic: why"},
                          {ErrorCode::Unauthenticated, 503, "100 internal server error: topic: why"},
                          {ErrorCode::Unavailable, 503, "100 internal server error: topic: why"},
                          {ErrorCode::DeadlineExceeded, 503, "100 internal server error: topic: why"}};
    for (const Case& c : cases) {
        bench.channels.refusal = error(c.code, "why", "topic");
        EXPECT_EQ(summary(bench.post("apns_channel_create", "{}")), c.answer);
        EXPECT_EQ(bench.transport("apns_channel_create", "{}").status, c.status) << c.answer;
    }
}

TEST(ChannelMethods, AreNotForBatches) {
    ApiBench bench;
    const Json body = Json::parse(bench.post("batch", R"({"commands":[{"apns_channel_create":{}}]})").body);
    EXPECT_EQ(body["replies"][0]["error"]["message"],
              "commands[0]: apns_channel_create waits for a provider; call it by itself");
    EXPECT_TRUE(bench.channels.asked.empty());
}

TEST(ChannelRecipient, NamesTheProviderOrMeansApns) {
    ApiBench bench;
    const auto target = [&](const std::string& recipient, const std::string& provider) {
        bench.delivery.pushes.clear();
        const std::string answer =
            summary(bench.post("send_push_notification", R"({"recipient":)" + recipient + R"(,"notification":{")" +
                                                             provider + R"(":{"payload":{"a":1}}}})"));
        if (bench.delivery.pushes.empty()) return answer;
        const delivery::NativeTarget& native = *bench.delivery.pushes.front().recipient.native;
        EXPECT_EQ(native.kind, delivery::NativeTarget::Kind::Channel);
        return native.provider + " " + native.value;
    };
    EXPECT_EQ(target(R"({"apns_channel":"c"})", "apns"), "apns c");
    EXPECT_EQ(target(R"({"channel":{"provider":"smoke","id":"c"}})", "smoke"), "smoke c");
    EXPECT_EQ(target(R"({"channel":{"provider":"smoke","id":"c"}})", "apns"),
              "107 notification.smoke: is required by recipient.channel.id");
    EXPECT_EQ(target(R"({"channel":{"provider":"smoke"}})", "smoke"), "107 recipient.channel.id: is required");
    EXPECT_EQ(
        target(R"({"channel":{"provider":"nope","id":"c"}})", "smoke"),
        "107 recipient.channel: this app has no provider \"nope\"; known are fcm, fcm-main, apns, smoke, webpush");
    bench.delivery.refusal = error(ErrorCode::InvalidArgument, "no channel's id", "recipient");
    EXPECT_EQ(summary(bench.post("send_push_notification",
                                 R"({"recipient":{"apns_channel":"%"},"notification":{"apns":{"payload":{}}}})")),
              "107 recipient.apns_channel: no channel's id");
}

}  // namespace
}  // namespace belfry::api
