// SPDX-License-Identifier: Apache-2.0
// Golden requests and answers of every method, and every refusal.
#include "api/service.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

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

TEST(ApiMethods, RefuseInTheOrderOfTheRequest) {
    const Golden cases[] = {
        // what the parameters as a whole must be
        {"send_push_notification", "{}", "107 recipient: is required"},
        {"send_push_notification", "null", "107 recipient: is required"},
        {"send_push_notification", R"({"recipient":null,"notification":{}})", "107 recipient: is required"},
        {"send_push_notification", R"({"recipient":{"filter":{"topics":["a"]}}})", "107 notification: is required"},
        {"send_push_notification", R"({"recipient":[]})", "107 recipient: must be an object"},
        {"send_push_notification", R"({"notification":{"fcm":{"message":[]}},"recipient":7})",
         "107 notification.fcm.message: must be an object"},
        {"send_push_notification", R"({"recipient":7,"notification":{"fcm":{"message":[]}}})",
         "107 recipient: must be an object"},
        // recipient
        {"send_push_notification", R"({"recipient":{},"notification":{"fcm":{"message":{}}}})",
         "107 recipient: needs exactly one of filter, fcm_tokens, fcm_topic, fcm_condition, hms_tokens, hms_topic, "
         "hms_condition, "
         "apns_tokens, webpush_tokens, tokens, apns_channel, channel"},
        {"send_push_notification", R"({"recipient":{"filter":{"topics":["a"]},"fcm_tokens":["b"]},"notification":{}})",
         "107 recipient: has filter and fcm_tokens; exactly one member is allowed"},
        {"send_push_notification", R"({"recipient":{"filter":{}},"notification":{"fcm":{"message":{}}}})",
         "107 recipient.filter: is empty; name ids, users, topics, providers or platforms, or say \"all\": true to "
         "reach every device"},
        {"send_push_notification", R"({"recipient":{"filter":{"topic":["a"]}},"notification":{}})",
         "107 recipient.filter.topic: is not known here; known are ids, users, topics, providers, platforms, all, not, "
         "meta, locales, "
         "expr"},
        {"send_push_notification", R"({"recipient":{"filtre":{}}})",
         "107 recipient.filtre: is not known here; known are filter, fcm_tokens, fcm_topic, fcm_condition, hms_tokens, "
         "hms_topic, "
         "hms_condition, apns_tokens, webpush_tokens, tokens, apns_channel, channel"},
        {"send_push_notification", R"({"recipient":{"filter":{"topics":"a"}}})",
         "107 recipient.filter.topics: must be a list of texts"},
        {"send_push_notification", R"({"recipient":{"filter":{"topics":["a",1]}}})",
         "107 recipient.filter.topics[1]: must be a text"},
        {"send_push_notification", R"({"recipient":{"filter":{"topics":["a",""]}}})",
         "107 recipient.filter.topics[1]: must have 1 to 255 bytes"},
        {"send_push_notification", R"({"recipient":{"filter":{"topics":["a\u0000b"]}}})",
         "107 recipient.filter.topics[0]: must not contain the character U+0000"},
        {"send_push_notification",
         R"({"recipient":{"filter":{"ids":["nonsense"]}},"notification":{"fcm":{"message":{}}}})", nullptr},
        {"send_push_notification",
         R"({"recipient":{"filter":{"providers":["fmc"]}},"notification":{"fcm":{"message":{}}}})",
         "107 recipient.filter.providers[0]: this app has no provider \"fmc\"; known are fcm, fcm-main, apns, smoke, "
         "webpush"},
        {"send_push_notification", R"({"recipient":{"fcm_tokens":[]},"notification":{}})",
         "107 recipient.fcm_tokens: must not be empty"},
        {"send_push_notification", R"({"recipient":{"hms_tokens":["a"]},"notification":{"fcm":{"message":{}}}})",
         "107 recipient.hms_tokens: this app has no provider \"hms\"; known are fcm, fcm-main, apns, smoke, webpush"},
        {"send_push_notification", R"({"recipient":{"tokens":{"tokens":["a"]}},"notification":{}})",
         "107 recipient.tokens.provider: is required"},
        {"send_push_notification", R"({"recipient":{"tokens":{"provider":"smoke"}},"notification":{}})",
         "107 recipient.tokens.tokens: is required"},
        // notification
        {"send_push_notification", R"({"recipient":{"filter":{"topics":["a"]}},"notification":{"smok":{}}})",
         "107 notification.smok: this app has no provider of this name; known are fcm, fcm-main, apns, smoke, webpush"},
        {"send_push_notification", R"({"recipient":{"filter":{"topics":["a"]}},"notification":{}})",
         "107 notification: needs the payload of at least one provider"},
        {"send_push_notification", R"({"recipient":{"filter":{"topics":["a"]}},"notification":{"fcm":null}})",
         "107 notification: needs the payload of at least one provider"},
        {"send_push_notification", R"({"recipient":{"filter":{"topics":["a"]}},"notification":{"fcm":{}}})",
         "107 notification.fcm.message: is required"},
        {"send_push_notification", R"({"recipient":{"filter":{"topics":["a"]}},"notification":{"smoke":"x"}})",
         "107 notification.smoke: must be an object"},
        {"send_push_notification",
         R"({"recipient":{"filter":{"topics":["a"]}},"notification":{"apns":{"payload":[]}}})",
         "107 notification.apns.payload: must be an object"},
        {"send_push_notification",
         R"({"recipient":{"filter":{"topics":["a"]}},"notification":{"apns":{"headers":{"a":1},"payload":{}}}})",
         "107 notification.apns.headers.a: must be a text"},
        {"send_push_notification",
         R"({"recipient":{"filter":{"topics":["a"]}},"notification":{"expire_at":"soon","fcm":{"message":{}}}})",
         "107 notification.expire_at: must be an integer"},
        {"send_push_notification", R"({"recipient":{"apns_tokens":["a"]},"notification":{"fcm":{"message":{}}}})",
         "107 notification.apns: is required by recipient.apns_tokens"},
        // the rest of the request
        {"send_push_notification",
         R"({"recipient":{"filter":{"all":true}},"notification":{"fcm":{"message":{}}},"send_at":1.5})",
         "107 send_at: must be an integer"},
        {"send_push_notification",
         R"({"recipient":{"filter":{"all":true}},"notification":{"fcm":{"message":{}}},"send_at":-1})",
         "107 send_at: must be between 0 and 253402300799"},
        {"send_push_notification",
         R"({"recipient":{"filter":{"all":true}},"notification":{"fcm":{"message":{}}},"lane":"fast"})",
         "107 lane: must be one of high, normal, low"},
        {"send_push_notification",
         R"({"recipient":{"filter":{"all":true}},"notification":{"fcm":{"message":{}}},"dry_run":"yes"})",
         "107 dry_run: must be true, false or \"provider\""},
        // known, not built
        {"send_push_notification", R"({"recipient":{"filter":{"all":true}},"use_templating":true})",
         "108 use_templating: not available in this version"},
        {"send_push_notification", R"({"recipient":{"filter":{"all":true}},"use_meta":true})",
         "108 use_meta: not available in this version"},
        {"send_push_notification", R"({"recipient":{"filter":{"all":true}},"analytics_uid":"a"})",
         "108 analytics_uid: not available in this version"},
        {"send_push_notification", R"({"localizations":{"en":{}}})",
         "108 localizations: not available in this version"},
        {"send_push_notification", R"({"limit_strategy":{"rate_limit":{"key":"x"}}})",
         "108 limit_strategy.rate_limit: not available in this version"},
        {"send_push_notification", R"({"limit_strategy":{"time_limit":{"send_after_time":"09:00:00"}}})",
         "108 limit_strategy.time_limit: not available in this version"},
        {"send_push_notification", R"({"limit_strategy":{"rate_limits":{}}})",
         "107 limit_strategy.rate_limits: is not known here; known are rate_limit, time_limit"},
        {"send_push_notification", R"({"recipient":{"filter":{"not":{"topics":["a"]}}}})",
         "108 recipient.filter.not: not available in this version"},
        {"send_push_notification", R"({"recipient":{"apns_channel":"c"},"notification":{"fcm":{"message":{}}}})",
         "107 notification.apns: is required by recipient.apns_channel"},
        {"update_push_status", "{}", "108 update_push_status: not available in this version"},
        {"explain", "{}", "108 explain: not available in this version"},
        // devices
        {"device_register", "{}", "107 provider: is required"},
        {"device_register", R"({"provider":"fcm"})", "107 token: is required"},
        {"device_register", R"({"provider":"fcm","token":""})", "107 token: must have 1 to 4096 bytes"},
        {"device_register", R"({"provider":"hms","token":"t"})",
         "107 provider: this app has no provider \"hms\"; known are fcm, fcm-main, apns, smoke, webpush"},
        {"device_register", R"({"provider":"fcm","token":"t","meta":{"a":1}})", "107 meta.a: must be a text"},
        {"device_register", R"({"provider":"fcm","token":"t","meta":["a"]})", "107 meta: must be an object of texts"},
        {"device_register", R"({"provider":"fcm","token":"t","timezone":"Europe/Atlantis"})",
         "107 timezone: \"Europe/Atlantis\" is no IANA timezone; use a name like Europe/Berlin"},
        {"device_register", R"({"provider":"fcm","token":"t","locale":"en_US"})",
         "107 locale: \"en_US\" is no BCP 47 language tag; use one like pt-BR"},
        {"device_update", "{}", "107 ids: give ids, users or both; nothing was changed"},
        {"device_update", R"({"ids":[],"users":null,"user_update":{"user":"u"}})",
         "107 ids: give ids, users or both; nothing was changed"},
        {"device_update", R"({"users":["u"]})",
         "107 user_update: nothing to change; give user_update, meta_update, topics_update, timezone_update or "
         "locale_update"},
        {"device_update", R"({"users":["u"],"user_updates":{}})",
         "107 user_updates: is not known here; known are ids, users, user_update, meta_update, topics_update, "
         "timezone_update, locale_update"},
        {"device_update", R"({"users":["u"],"user_update":"v"})", "107 user_update: must be an object"},
        {"device_update", R"({"users":["u"],"user_update":{"user":"v","sync_topics":1}})",
         "107 user_update.sync_topics: must be true or false"},
        {"device_update", R"({"users":["u"],"meta_update":{"meta":{"a":1}}})",
         "107 meta_update.meta.a: must be a text"},
        {"device_update", R"({"users":["u"],"topics_update":{"topics":["a"]}})", "107 topics_update.op: is required"},
        {"device_update", R"({"users":["u"],"topics_update":{"op":"put","topics":["a"]}})",
         "107 topics_update.op: must be one of add, remove, set"},
        {"device_update", R"({"users":["u"],"topics_update":{"op":"add"}})",
         "107 topics_update.topics: is required for add and remove"},
        {"device_update", R"({"users":["u"],"timezone_update":{"timezone":"Mars/Base"}})",
         "107 timezone_update.timezone: \"Mars/Base\" is no IANA timezone; use a name like Europe/Berlin"},
        {"device_update", R"({"users":["u"],"locale_update":{"locale":"e"}})",
         "107 locale_update.locale: \"e\" is no BCP 47 language tag; use one like pt-BR"},
        {"device_topic_update", "{}", "107 device_id: is required"},
        {"device_topic_update", R"({"device_id":"","op":"add","topics":["a"]})",
         "107 device_id: must have 1 to 64 bytes"},
        {"device_topic_update", R"({"device_id":"x"})", "107 op: is required"},
        {"device_topic_list", R"({"filter":{"devices":["a"]}})",
         "107 filter.devices: is not known here; known are device_ids, device_providers, device_platforms, "
         "device_users, topics, topic_prefix"},
        {"device_topic_list", R"({"filter":{"device_providers":["x"]}})",
         "107 filter.device_providers[0]: this app has no provider \"x\"; known are fcm, fcm-main, apns, smoke, "
         "webpush"},
        {"device_topic_list", R"({"filter":{"topic_prefix":["a"]}})", "107 filter.topic_prefix: must be a text"},
        {"user_topic_list", R"({"filter":{"user":"a"}})",
         "107 filter.user: is not known here; known are users, topics, topic_prefix"},
        {"user_topic_list", R"({"limit":-1})", "107 limit: must be between 0 and 1000"},
        {"device_remove", "{}", "107 ids: give ids, users or both; nothing was removed"},
        {"device_remove", R"({"ids":[],"users":null})", "107 ids: give ids, users or both; nothing was removed"},
        {"device_remove", R"({"user":["u"]})", "107 user: is not known here; known are ids, users"},
        {"device_list", R"({"limit":1001})", "107 limit: must be between 0 and 1000"},
        {"device_list", R"({"filter":{"all":true}})",
         "107 filter.all: is not known here; known are ids, users, topics, providers, platforms"},
        {"user_topic_update", R"({"op":"add","topics":["a"]})", "107 user: is required"},
        {"user_topic_update", R"({"user":"u","op":"put","topics":["a"]})", "107 op: must be one of add, remove, set"},
        {"user_topic_update", R"({"user":"u","op":"","topics":["a"]})", "107 op: must be one of add, remove, set"},
        {"user_topic_update", R"({"user":"u","op":"add"})", "107 topics: is required for add and remove"},
        // pushes
        {"cancel_push", "{}", "107 uid: is required"},
        {"cancel_push", R"({"uid":"nope"})", "104 uid: no push of this app has it"},
        {"push_status", R"({"uid":"nope"})", "104 uid: no push of this app has it"},
        {"push_pause", "{}", "107 uid: is required"},
        {"push_pause", R"({"uid":"nope"})", "104 uid: no push of this app has it"},
        {"push_pause", R"({"uid":"done"})", "113 uid: the push is final; there is nothing to pause"},
        {"push_resume", R"({"uid":"nope"})", "104 uid: no push of this app has it"},
        {"push_resume", R"({"uid":"done"})", "113 uid: the push is final; there is nothing to resume"},
        {"recipient_count", "{}", "107 recipient: is required"},
        {"recipient_count", R"({"recipient":{"filter":{}}})",
         "107 recipient.filter: is empty; name ids, users, topics, providers or platforms, or say \"all\": true to "
         "reach every device"},
        {"recipient_count", R"({"recipient":{"fcm_topic":"news"}})",
         "107 recipient.fcm_topic: only the provider knows who this reaches; count a filter or tokens"},
        {"push_list", R"({"state":"odd"})",
         "107 state: must be one of delayed, running, paused, done, cancelled, expired"},
        {"batch", R"({"commands":{}})", "107 commands: must be a list"},
    };
    ApiBench bench;
    for (const Golden& c : cases) {
        const std::string got = summary(bench.post(c.method, c.request));
        if (c.answer) {
            EXPECT_EQ(got, c.answer) << c.method << " " << c.request;
        } else {
            EXPECT_EQ(got.rfind("107 recipient.filter.ids[0]: ", 0), 0u) << got;
        }
    }
    EXPECT_TRUE(bench.delivery.pushes.empty());
    EXPECT_TRUE(bench.devices.registered.empty());
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
    row.data = R"({"p256dh":"P","auth":"A","more":1})";
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
        "webpush_keys":"{\"p256dh\":\"P\",\"auth\":\"A\"}"}],"next_cursor":"c2","total_count":9})"));
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
