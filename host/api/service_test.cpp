// SPDX-License-Identifier: Apache-2.0
// Golden requests and answers of every method, and every refusal.
#include "api/service.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "api/api_fakes.h"
#include "base/device_id.h"

namespace belfry::api {
namespace {

using Json = nlohmann::json;

constexpr const char* kExample = R"(
{"recipient": {"filter": {"topics": ["test"]}},
 "notification": {"fcm": {"message": {"notification": {"title": "Hello", "body": "How are you?"}}}}})";

// "107 recipient: is required", or "ok {...}".
std::string summary(const HttpResponse& response) {
    const Json body = Json::parse(response.body);
    if (body.contains("error"))
        return std::to_string(body["error"]["code"].get<int>()) + " " + body["error"]["message"].get<std::string>();
    return "ok " + body["result"].dump();
}

struct Golden {
    const char *method, *request, *answer;
};

struct Refusal {
    std::string method, request, answer;
};

// One request and its whole answer a line.
std::vector<Refusal> golden_refusals() {
    std::ifstream file(BELFRY_SOURCE_DIR "/host/api/golden_refusals.jsonl");
    std::vector<Refusal> all;
    for (std::string line; std::getline(file, line);) {
        const Json row = Json::parse(line);
        all.push_back({row.at("method"), row.at("request"), row.at("answer")});
    }
    return all;
}

std::set<std::string> refusing_methods() {
    std::set<std::string> methods;
    for (const Refusal& one : golden_refusals()) methods.insert(one.method);
    return methods;
}

class ApiRefusals : public ::testing::TestWithParam<std::string> {};

TEST_P(ApiRefusals, SayWhatIsWrongAndStoreNothing) {
    ApiBench bench;
    for (const Refusal& one : golden_refusals()) {
        if (one.method != GetParam()) continue;
        EXPECT_EQ(summary(bench.post(one.method, one.request)), one.answer) << one.request;
    }
    EXPECT_TRUE(bench.delivery.pushes.empty());
    EXPECT_TRUE(bench.devices.registered.empty());
}

INSTANTIATE_TEST_SUITE_P(Golden, ApiRefusals, ::testing::ValuesIn(refusing_methods()),
                         [](const auto& method) { return method.param; });

TEST(ApiMethods, RefuseWhatIsWrongFirstInTheRequest) {
    const Golden cases[] = {
        {"send_push_notification", R"({"notification":{"fcm":{"message":[]}},"recipient":7})",
         "107 notification.fcm.message: must be an object"},
        {"send_push_notification", R"({"recipient":7,"notification":{"fcm":{"message":[]}}})",
         "107 recipient: must be an object"},
        {"send_push_notification", R"({"send_at":1.5,"recipient":7})", "107 send_at: must be an integer"},
        {"device_register", R"({"token":"","meta":["a"]})", "107 token: must have 1 to 4096 bytes"},
        {"device_register", R"({"meta":["a"],"token":""})", "107 meta: must be an object of texts"},
        {"device_register", R"({"token":"t"})", "107 provider: is required"},
    };
    ApiBench bench;
    for (const Golden& c : cases) EXPECT_EQ(summary(bench.post(c.method, c.request)), c.answer) << c.request;
}

TEST(ApiMethods, AnswerInThePublishedShapes) {
    const Golden cases[] = {
        {"device_remove", R"({"users":["u"]})", "ok {}"},
        {"user_topic_update", R"({"user":"","op":"set","topics":[]})", "ok {}"},
        {"user_topic_update", R"({"user":"u","op":"add","topics":["a","a"]})", "ok {}"},
        {"cancel_push", R"({"uid":"known"})", "ok {}"},
        {"cancel_push", R"({"uid":"done"})", "ok {}"},
        {"push_pause", R"({"uid":"known"})", "ok {}"},
        {"push_pause", R"({"uid":"paused"})", "ok {}"},
        {"push_resume", R"({"uid":"known"})", "ok {}"},
        {"push_resume", R"({"uid":"paused"})", "ok {}"},
        {"device_list", "{}", R"(ok {"items":[]})"},
        {"device_topic_list", "{}", R"(ok {"items":[]})"},
        {"user_topic_list", R"({"filter":null,"cursor":null,"limit":null})", R"(ok {"items":[]})"},
        {"device_update", R"({"users":["u"],"user_update":{}})", "ok {}"},
        {"send_push_notification", kExample, R"(ok {"uid":"made-up"})"},
    };
    ApiBench bench;
    for (const Golden& c : cases) EXPECT_EQ(summary(bench.post(c.method, c.request)), c.answer) << c.method;
    EXPECT_EQ(bench.devices.asked_topics, "default/u/1/a");
}

TEST(ApiMethods, SendThePayloadByteForByteToTheInstance) {
    ApiBench bench;
    ASSERT_EQ(summary(bench.post("send_push_notification", kExample)), R"(ok {"uid":"made-up"})");
    const delivery::PushRequest& push = bench.delivery.pushes.at(0);
    EXPECT_EQ(push.app, "default");
    EXPECT_EQ(push.uid, "");
    EXPECT_EQ(push.recipient.filter->topics, std::vector<std::string>{"test"});
    EXPECT_FALSE(push.recipient.tokens.has_value());
    ASSERT_EQ(push.payloads.size(), 1u);
    EXPECT_EQ(push.payloads.at("fcm-main"),
              R"({"message": {"notification": {"title": "Hello", "body": "How are you?"}}})");
    EXPECT_EQ(push.lane, delivery::Lane::ByShape);
    EXPECT_EQ(push.dry_run, delivery::DryRun::No);
    EXPECT_EQ(push.send_at_unix_ms, 0);
    EXPECT_EQ(push.expires_unix_ms, 0);
}

TEST(ApiMethods, UnderstandEveryFieldOfASend) {
    ApiBench bench;
    const std::string id = encode_device_id("default", 77);
    const std::string request = R"({"uid":"u-1",
        "RECIPIENT":{"filter":{"ids":[")" +
                                id + R"("],"users":["\u00e9"],"topics":["t"],"providers":["fcm","apns"],
                               "platforms":["ios"],"all":false,"not":null,"meta":{}}},
        "notification":{"FCM":{"message":{}},"apns":{"headers":{"apns-priority":"5"},"payload":{"aps":{}}},
                        "smoke":{"any":1},"webpush":{"payload":"text"},"expire_at":2000000000},
        "send_at":1900000000,"lane":"low","dry_run":true,"use_templating":false,"localizations":{},
        "limit_strategy":{"rate_limit":null},"use_meta":false,"analytics_uid":"","unknown":[1,{"x":null}]})";
    ASSERT_EQ(summary(bench.post("send_push_notification", request)), R"(ok {"uid":"u-1"})");
    const delivery::PushRequest& push = bench.delivery.pushes.at(0);
    EXPECT_EQ(push.uid, "u-1");
    EXPECT_EQ(push.recipient.filter->device_keys, std::vector<int64_t>{77});
    EXPECT_EQ(push.recipient.filter->users, std::vector<std::string>{"\xc3\xa9"});
    EXPECT_EQ(push.recipient.filter->providers, (std::vector<std::string>{"fcm-main", "apns"}));
    EXPECT_EQ(push.recipient.filter->platforms, std::vector<std::string>{"ios"});
    EXPECT_EQ(push.payloads.size(), 4u);
    EXPECT_EQ(push.payloads.at("webpush"), R"({"payload":"text"})");
    EXPECT_EQ(push.send_at_unix_ms, 1'900'000'000'000);
    EXPECT_EQ(push.expires_unix_ms, 2'000'000'000'000);
    EXPECT_EQ(push.lane, delivery::Lane::Low);
    EXPECT_EQ(push.dry_run, delivery::DryRun::Host);
}

TEST(ApiMethods, TakeATimeInThePastAsNow) {
    ApiBench bench;
    bench.post("send_push_notification",
               R"({"recipient":{"filter":{"all":true}},"notification":{"smoke":{}},"send_at":1000})");
    EXPECT_EQ(bench.delivery.pushes.at(0).send_at_unix_ms, 0);
    EXPECT_TRUE(bench.delivery.pushes.at(0).recipient.filter->all);
}

TEST(ApiMethods, AddressRawTokensAndNativeTargets) {
    ApiBench bench;
    const auto send = [&](const std::string& recipient, const std::string& wire) {
        const std::string payload = wire == "apns" || wire == "webpush" ? R"({"payload":{}})" : R"({"message":{}})";
        EXPECT_EQ(
            summary(bench.post("send_push_notification", R"({"recipient":)" + recipient + R"(,"notification":{")" +
                                                             wire + "\":" + payload + "}}")),
            R"(ok {"uid":"made-up"})");
        return bench.delivery.pushes.back().recipient;
    };
    EXPECT_EQ(send(R"({"fcm_tokens":["a","b\n"]})", "fcm").tokens->tokens, (std::vector<std::string>{"a", "b\n"}));
    EXPECT_EQ(send(R"({"apns_tokens":["a"]})", "apns").tokens->provider, "apns");
    EXPECT_EQ(send(R"({"webpush_tokens":["a"]})", "webpush").tokens->provider, "webpush");
    EXPECT_EQ(send(R"({"tokens":{"provider":"smoke","tokens":["x"]}})", "smoke").tokens->provider, "smoke");
    EXPECT_EQ(send(R"({"fcm_topic":"news"})", "fcm").native->value, "news");
    EXPECT_EQ(send(R"({"fcm_condition":"'a' in topics"})", "fcm").native->kind,
              delivery::NativeTarget::Kind::Condition);
}

TEST(ApiMethods, FingerprintTheRawRequest) {
    ApiBench bench;
    const std::string request = kExample;
    for (const std::string& body :
         {request, request, request + " ", std::string(R"({"uid":"x",)") + request.substr(2)}) {
        bench.post("send_push_notification", body);
    }
    const auto& pushes = bench.delivery.pushes;
    EXPECT_EQ(pushes.at(0).fingerprint, pushes.at(1).fingerprint);
    EXPECT_EQ(pushes.at(0).fingerprint, pushes.at(2).fingerprint)
        << "white space around the parameters is not part of them";
    EXPECT_NE(pushes.at(0).fingerprint, pushes.at(3).fingerprint);
}

TEST(ApiMethods, PutRefusalsOfDeliveryIntoTheClientsWords) {
    ApiBench bench;
    bench.delivery.refusal = error(ErrorCode::InvalidArgument, "must be texts", "notification.fcm-main.message.data");
    EXPECT_EQ(summary(bench.post("send_push_notification", kExample)),
              "107 notification.fcm.message.data: must be texts");
    bench.delivery.refusal = error(ErrorCode::InvalidArgument, "no token", "recipient.tokens.tokens[3]");
    EXPECT_EQ(summary(bench.post("send_push_notification",
                                 R"({"recipient":{"fcm_tokens":["a"]},"notification":{"fcm":{"message":{}}}})")),
              "107 recipient.fcm_tokens[3]: no token");
    bench.delivery.refusal = error(ErrorCode::Conflict, "another request used it", "uid");
    EXPECT_EQ(summary(bench.post("send_push_notification", kExample)), "113 uid: another request used it");
    bench.delivery.refusal = error(ErrorCode::Busy, "too much is queued");
    EXPECT_EQ(summary(bench.post("send_push_notification", kExample)), "111 too much is queued");
}

TEST(ApiMethods, RegisterTheWholeState) {
    ApiBench bench;
    const HttpResponse first =
        bench.post("device_register",
                   R"({"provider":"fcm","token":"t\u00e9","platform":"ios","user":"u","meta":{"b":"2","a":"1","b":"3"},
            "topics":["x","y","x"],"timezone":"Europe/Berlin","locale":"pt-BR","extra":1})");
    const std::string id = Json::parse(first.body)["result"]["id"];
    EXPECT_EQ(decode_device_id("default", id).value(), 1);
    const audience::Registration& one = bench.devices.registered.at(0);
    EXPECT_EQ(one.app, "default");
    EXPECT_EQ(one.key, -1);
    EXPECT_EQ(one.wire_name, "fcm");
    EXPECT_EQ(one.provider, "fcm-main");
    EXPECT_EQ(one.token, "t\xc3\xa9");
    EXPECT_EQ(one.meta, R"({"a":"1","b":"3"})");
    EXPECT_EQ(one.topics, (std::vector<std::string>{"x", "y"}));
    EXPECT_EQ(one.timezone, "Europe/Berlin");
    EXPECT_EQ(one.locale, "pt-BR");

    bench.post("device_register", R"({"id":")" + id + R"(","provider":"fcm-main","token":"t2"})");
    const audience::Registration& two = bench.devices.registered.at(1);
    EXPECT_EQ(two.key, 1);
    EXPECT_EQ(two.provider, "fcm-main");
    EXPECT_EQ(two.user, "");
    EXPECT_EQ(two.meta, "");
    EXPECT_TRUE(two.topics.empty());
}

TEST(ApiMethods, RefuseIdsOfOtherAppsAndOfWrongForm) {
    ApiBench bench;
    for (const std::string& id : {encode_device_id("shop", 1), std::string("short"), std::string("0000000000000000")}) {
        const std::string got =
            summary(bench.post("device_register", R"({"id":")" + id + R"(","provider":"fcm","token":"t"})"));
        EXPECT_EQ(got.rfind("107 id: ", 0), 0u) << got;
    }
}

TEST(ApiMethods, BoundMetaInAll) {
    ApiBench bench;
    std::string meta;
    for (int i = 0; i < 3; ++i)
        meta += (i ? ",\"" : "\"") + std::to_string(i) + "\":\"" + std::string(6000, 'x') + "\"";
    EXPECT_EQ(summary(bench.post("device_register", R"({"provider":"fcm","token":"t","meta":{)" + meta + "}}")),
              "107 meta: must have at most 16384 bytes as JSON");
    std::string many;
    for (int i = 0; i < 65; ++i) many += (i ? ",\"" : "\"") + std::to_string(i) + "\":\"\"";
    EXPECT_EQ(summary(bench.post("device_register", R"({"provider":"fcm","token":"t","meta":{)" + many + "}}")),
              "107 meta: must have at most 64 entries, has 65");
}

TEST(ApiMethods, ListDevicesWithWhatWasAskedFor) {
    ApiBench bench;
    audience::DeviceRow row;
    row.key = 5;
    row.provider = "fcm-main";
    row.token = "tok";
    row.platform = "web";
    row.meta = R"({"a":"b"})";
    row.topics = {"t"};
    row.data = std::string(87, 'P') + "." + std::string(22, 'A');
    row.created_unix_ms = 1'700'000'000'999;
    row.updated_unix_ms = 1'700'000'001'000;
    bench.devices.page.rows = {row};
    bench.devices.page.next_cursor = "c2";
    bench.devices.page.total = 9;
    const std::string id = encode_device_id("default", 5);
    const Json all = Json::parse(bench
                                     .post("device_list", R"({"filter":{"users":["u"],"providers":["fcm"],"ids":[")" +
                                                              id + R"("]},"include_total_count":true,
                   "include_meta":true,"include_topics":true,"include_webpush_keys":true,"cursor":"c1","limit":7})")
                                     .body);
    EXPECT_EQ(all["result"],
              Json::parse(R"({"items":[{"id":")" + id + R"(","platform":"web","provider":"fcm","token":"tok",
        "created_at":1700000000,"updated_at":1700000001,"meta":{"a":"b"},"topics":["t"],
        "webpush_keys":"{\"p256dh\":\")" +
                          std::string(87, 'P') + R"(\",\"auth\":\")" + std::string(22, 'A') +
                          R"(\"}"}],"next_cursor":"c2","total_count":9})"));
    EXPECT_EQ(bench.devices.asked.keys, std::vector<int64_t>{5});
    EXPECT_EQ(bench.devices.asked.providers, std::vector<std::string>{"fcm-main"});
    EXPECT_EQ(bench.devices.asked_paging.limit, 7u);
    EXPECT_EQ(bench.devices.asked_paging.cursor, "c1");
    EXPECT_TRUE(bench.devices.asked_paging.want_topics);

    bench.devices.page = {};
    row.meta = "";
    row.topics.clear();
    bench.devices.page.rows = {row};
    EXPECT_EQ(Json::parse(bench.post("device_list", "{}").body)["result"],
              Json::parse(R"({"items":[{"id":")" + id +
                          R"(","platform":"web","provider":"fcm","token":"tok","created_at":1700000000,
              "updated_at":1700000001}]})"));
    EXPECT_EQ(bench.devices.asked_paging.limit, 100u);
    EXPECT_FALSE(bench.devices.asked_paging.want_total);
}

TEST(ApiMethods, ShowStatusAndList) {
    ApiBench bench;
    const Json status = Json::parse(R"({"uid":"known","state":"running","lane":"high","planned":3,"planned_final":false,
        "outcomes":[{"provider":"fcm","outcome":"accepted","n":2},{"provider":"","outcome":"internal","n":1}],
        "samples":[{"reason":"x"},"not json"],"created_at":5,"eta_ms":40})");
    EXPECT_EQ(Json::parse(bench.post("push_status", R"({"uid":"known"})").body)["result"], status);
    const Json list =
        Json::parse(bench.post("push_list", R"({"state":"running","cursor":"c","limit":3})").body)["result"];
    EXPECT_EQ(list["items"], Json::array({status}));
    EXPECT_EQ(list["next_cursor"], "more");
    EXPECT_EQ(bench.delivery.asked_list, "default/running/c/3");
}

TEST(ApiMethods, CountRecipientsByProviderAndPlatform) {
    ApiBench bench;
    bench.delivery.count.devices = 12;
    bench.delivery.count.parts = {{"apns", "ios", 4}, {"fcm-main", "android", 8}};
    const std::string request = R"({"recipient":{"filter":{"topics":["t"],"platforms":["ios"]}}})";
    EXPECT_EQ(Json::parse(bench.post("recipient_count", request).body)["result"],
              Json::parse(R"({"devices":12,"parts":[{"provider":"apns","platform":"ios","devices":4},
                              {"provider":"fcm","platform":"android","devices":8}],"complete":true})"));
    EXPECT_EQ(bench.delivery.asked_recipient.filter->topics, std::vector<std::string>{"t"});
    EXPECT_EQ(bench.delivery.asked_budget_ms, 10'000);
    bench.delivery.count = {};
    bench.delivery.count.refused = 1;
    bench.delivery.count.complete = false;
    EXPECT_EQ(Json::parse(bench.post("recipient_count", R"({"recipient":{"fcm_tokens":["a"]}})").body)["result"],
              Json::parse(R"({"devices":0,"parts":[],"complete":false,"refused":1})"));
    bench.delivery.refusal = error(ErrorCode::InvalidArgument, "no token", "recipient.tokens.tokens[3]");
    EXPECT_EQ(summary(bench.post("recipient_count", R"({"recipient":{"fcm_tokens":["a"]}})")),
              "107 recipient.fcm_tokens[3]: no token");
}

TEST(ApiMethods, PassTroubleOfTheDevicesOn) {
    ApiBench bench;
    bench.devices.refusal = error(ErrorCode::Conflict, "came first");
    EXPECT_EQ(summary(bench.post("device_register", R"({"provider":"fcm","token":"t"})")), "113 came first");
    bench.devices.refusal = error(ErrorCode::StoreFull, "disk full");
    EXPECT_EQ(summary(bench.post("device_list", "{}")), "100 internal server error: disk full");
    EXPECT_EQ(summary(bench.post("device_remove", R"({"users":["u"]})")), "100 internal server error: disk full");
    EXPECT_EQ(summary(bench.post("user_topic_update", R"({"user":"u","op":"set"})")),
              "100 internal server error: disk full");
}

}  // namespace
}  // namespace belfry::api
