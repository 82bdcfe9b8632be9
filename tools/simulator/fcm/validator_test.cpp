// SPDX-License-Identifier: Apache-2.0
#include "fcm/validator.h"

#include <gtest/gtest.h>

#include <string>

namespace belfry::simulator {
namespace {

Reply refusal_of(const std::string& body, const SendOptions& options = {}) {
    const SendRequest request = read_send_request(body, options);
    return request.refusal.value_or(Reply{200, {}, "accepted"});
}

std::string message(const std::string& fields) {
    return R"({"message":{)" + fields + "}}";
}

void expect_refused(const std::string& body, const std::string& exact) {
    const Reply reply = refusal_of(body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(reply.body, exact) << body;
}

void expect_refused_with(const std::string& body, const std::string& part) {
    const Reply reply = refusal_of(body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_NE(reply.body.find(part), std::string::npos) << body << " gave " << reply.body;
}

TEST(SendValidator, AnswersVectorE3WithoutTarget) {
    expect_refused(
        message(R"("data":{})"),
        R"({"error":{"code":400,"message":"Recipient of the message is not set.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"message","description":"Recipient of the message is not set."}]},{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"INVALID_ARGUMENT"}]}})");
}

TEST(SendValidator, AnswersVectorE4ForANumberInData) {
    expect_refused(
        message(R"("token":"ok-1","data":{"n":12})"),
        R"({"error":{"code":400,"message":"Invalid value at 'message.data[0].value' (TYPE_STRING), 12","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"message.data[0].value","description":"Invalid value at 'message.data[0].value' (TYPE_STRING), 12"}]}]}})");
}

TEST(SendValidator, AnswersVectorE5ForAnUnknownField) {
    expect_refused(
        message(R"("toen":"ok-1")"),
        R"({"error":{"code":400,"message":"Invalid JSON payload received. Unknown name \"toen\" at 'message': Cannot find field.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"message","description":"Invalid JSON payload received. Unknown name \"toen\" at 'message': Cannot find field."}]}]}})");
}

TEST(SendValidator, AnswersVectorE6InBothWordings) {
    const std::string body = message(R"("token":"ok-1","data":{"k":")" + std::string(5000, 'x') + "\"}");
    const std::string details =
        R"(","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"INVALID_ARGUMENT"}]}})";
    EXPECT_EQ(refusal_of(body, {true, false}).body,
              R"({"error":{"code":400,"message":"Message is too large. The maximum is 4K (4096 bytes).)" + details);
    EXPECT_EQ(refusal_of(body, {true, true}).body,
              R"({"error":{"code":400,"message":"Android message is too big)" + details);
}

TEST(SendValidator, CountsKeysAndValuesAgainstTheLimitOfTheTarget) {
    const auto with = [](const std::string& target, std::size_t bytes) {
        return refusal_of(message(target + R"(,"data":{"key":")" + std::string(bytes - 3, 'x') + "\"}")).status;
    };
    EXPECT_EQ(with(R"("token":"ok-1")", 4096), 200);
    EXPECT_EQ(with(R"("token":"ok-1")", 4097), 400);
    EXPECT_EQ(with(R"("topic":"t")", 2048), 200);
    EXPECT_EQ(with(R"("topic":"t")", 2049), 400);
    EXPECT_EQ(with(R"("condition":"'t' in topics")", 2049), 400);
}

TEST(SendValidator, CountsThePlatformThatGetsTheMost) {
    const std::string big(4090, 'x');
    EXPECT_EQ(refusal_of(message(R"("token":"ok-1","notification":{"title":"long enough"},"android":{"data":{"k":")" +
                                 big + "\"}}"))
                  .status,
              400);
    // android.data replaces data: the two are not added up.
    EXPECT_EQ(refusal_of(message(R"("token":"ok-1","data":{"k":")" + std::string(3000, 'x') +
                                 R"("},"android":{"data":{"k":")" + std::string(3000, 'x') + "\"}}"))
                  .status,
              200);
    EXPECT_EQ(refusal_of(message(R"("token":"ok-1","apns":{"payload":{"aps":{"alert":")" + big + "12345\"}}}")).status,
              400);
}

TEST(SendValidator, RefusesTwoTargets) {
    expect_refused_with(message(R"("token":"a","topic":"b")"),
                        "(oneof), oneof field 'target' is already set. Cannot set 'topic'");
}

TEST(SendValidator, RefusesWrongTypesByField) {
    const std::pair<std::string, std::string> cases[] = {
        {R"("token":5)", "Invalid value at 'message.token' (TYPE_STRING), 5"},
        {R"("token":"a","notification":{"title":true})", "'message.notification.title' (TYPE_STRING), true"},
        {R"("token":"a","notification":"x")", "Invalid value at 'message.notification'"},
        {R"("token":["a"])", "Proto field is not repeating, cannot start list."},
        {R"("token":"a","android":{"notification":{"sticky":"true"}})", "(TYPE_BOOL), \\\"true\\\""},
        {R"("token":"a","android":{"notification":{"notification_count":1.5}})", "(TYPE_INT32), 1.5"},
        {R"("token":"a","android":{"notification":{"title_loc_args":"x"}})",
         "message.android.notification.title_loc_args"},
        {R"("token":"a","android":{"notification":{"title_loc_args":["x",1]}})", "title_loc_args[1]"},
        {R"("token":"a","android":{"notification":{"event_time":"yesterday"}})", "google.protobuf.Timestamp"},
        {R"("token":"a","android":{"priority":"urgent"})", "AndroidConfig.AndroidMessagePriority"},
        {R"("token":"a","android":{"ttl":3600})", "google.protobuf.Duration"},
        {R"("token":"a","apns":{"headers":{"apns-priority":5}})", "'message.apns.headers[0].value' (TYPE_STRING), 5"},
        {R"("token":"a","apns":{"payload":[]})", "cannot start list"},
        {R"("token":"a","webpush":{"data":{"a":null}})", "message.webpush.data[0].value"},
    };
    for (const auto& [fields, part] : cases) expect_refused_with(message(fields), part);
}

TEST(SendValidator, RefusesWhatFcmForbidsBeyondTypes) {
    const std::pair<std::string, std::string> cases[] = {
        {R"("token":"a","data":{"from":"x"})", "Invalid data payload key: from"},
        {R"("token":"a","data":{"gcm":"x"})", "Invalid data payload key: gcm"},
        {R"("token":"a","data":{"message_type":"x"})", "Invalid data payload key: message_type"},
        {R"("token":"a","data":{"google.c.a":"x"})", "Invalid data payload key: google.c.a"},
        {R"("token":"a","android":{"data":{"gcm.notification.x":"x"}})", "message.android.data"},
        {R"("token":"a","android":{"ttl":"2419201s"})", "message.android.ttl"},
        {R"("token":"a","android":{"ttl":"-0.5s"})", "message.android.ttl"},
        {R"("token":"a","android":{"notification":{"color":"#12345"}})", "message.android.notification.color"},
        {R"("token":"a","webpush":{"fcm_options":{"link":"http://x"}})", "message.webpush.fcm_options.link"},
        {R"("token":"a","fcm_options":{"analytics_label":"a b"})", "message.fcm_options.analytics_label"},
        {R"("topic":"a b")", "message.topic"},
        {R"("condition":"'a' in topics ||")", "message.condition"},
        {R"("token":"")", "The registration token is not a valid FCM registration token"},
        {R"("token":"a b")", "The registration token is not a valid FCM registration token"},
    };
    for (const auto& [fields, part] : cases) expect_refused_with(message(fields), part);
}

TEST(SendValidator, AcceptsEverythingTheReferenceLists) {
    const std::string bodies[] = {
        message(R"("token":"ok-1","data":{"collapse_key":"allowed","k":""},"notification":{"title":"t","body":"b"})"),
        message(R"("fid":"ok-1","android":{"collapseKey":"c","priority":"high","ttl":"0s","directBootOk":true})"),
        message(R"("topic":"/topics/news","android_v2":{"anything":{"goes":1}})"),
        message(R"("token":"a","android":{"ttl":"2419200s","notification":{"color":"#A0b1C2","vibrate_timings":["0.5s"],
                   "event_time":"2026-01-02T03:04:05.000000001Z","notification_count":"7","visibility":"PUBLIC",
                   "notification_priority":"priority_max","light_settings":{"color":{"red":0.5,"alpha":1},
                   "light_on_duration":"1s","light_off_duration":"0.25s"},"proxy":"IF_PRIORITY_LOWERED"}})"),
        message(R"("token":"a","apns":{"headers":{"apns-priority":"5"},"payload":{"aps":{"badge":1},"own":[1,2]},
                   "live_activity_token":"t","fcm_options":{"image":"https://x"}})"),
        message(R"("token":"a","webpush":{"headers":{"TTL":"60"},"notification":{"actions":[{"a":1}]},
                   "fcm_options":{"link":"https://x","analytics_label":"a-b_c.~%"}},"notification":null)"),
        R"({"validateOnly":true,"message":{"token":"a"}})",
    };
    for (const std::string& body : bodies) EXPECT_EQ(refusal_of(body).body, "accepted") << body;
}

TEST(SendValidator, RefusesDuplicateKeysUnlessTold) {
    const std::string bodies[] = {message(R"("token":"a","token":"b")"),
                                  message(R"("token":"a","data":{"k":"1","k":"2"})"),
                                  message(R"("token":"a","android":{"collapse_key":"1","collapseKey":"2"})"),
                                  R"({"message":{"token":"a"},"message":{"token":"b"}})"};
    for (const std::string& body : bodies) {
        EXPECT_EQ(refusal_of(body).status, 400) << body;
        EXPECT_EQ(refusal_of(body, {false, false}).status, 200) << body;
    }
    EXPECT_EQ(read_send_request(bodies[0], {false, false}).target.text, "b");
}

TEST(SendValidator, RefusesWhatIsNotOneJsonObject) {
    const std::string deep = std::string(200, '[') + std::string(200, ']');
    for (const std::string& body : {std::string(), std::string("{"), std::string("[]"), std::string("{} {}"), deep,
                                    std::string("{\"message\":{\"token\":\"\xff\"}}"), std::string("{\"x\":1}"),
                                    std::string("{}"), std::string("{\"message\":\"x\"}")}) {
        EXPECT_EQ(refusal_of(body).status, 400) << body;
    }
}

TEST(SendValidator, ReadsTheTargetOfARefusedRequestToo) {
    const SendRequest request = read_send_request(message(R"("token":"ok-1","nonsense":1)"), {});
    EXPECT_TRUE(request.refusal.has_value());
    EXPECT_EQ(request.target.label(), "token:ok-1");
}

}  // namespace
}  // namespace belfry::simulator
