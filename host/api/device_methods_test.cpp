// SPDX-License-Identifier: Apache-2.0
// What the methods that change and list registered devices ask of the registry, and what they answer.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/api_fakes.h"
#include "base/device_id.h"

namespace belfry::api {
namespace {

using Json = nlohmann::json;
using Verdict = audience::Changed::Verdict;

const std::string kId = encode_device_id("default", 9);

Json answer(ApiBench& bench, const std::string& method, const std::string& body) {
    return Json::parse(bench.post(method, body).body);
}
int code_of(ApiBench& bench, const std::string& method, const std::string& body) {
    return answer(bench, method, body)["error"]["code"];
}

TEST(DeviceUpdate, ChangesWhatIsGivenAndNothingElse) {
    ApiBench bench;
    EXPECT_EQ(answer(bench, "device_update",
                     R"({"ids":[")" + kId + R"("],"users":["a","b"],"user_update":{"user":"c","sync_topics":true},
        "meta_update":{"meta":{"k":"v"}},"topics_update":{"op":"add","topics":["x","y","x"]},
        "timezone_update":{"timezone":"Asia/Tokyo"},"locale_update":{"locale":"ja-JP"}})"),
              Json::parse(R"({"result":{}})"));
    EXPECT_EQ(bench.devices.asked_app, "default");
    EXPECT_EQ(bench.devices.asked.keys, std::vector<int64_t>{9});
    EXPECT_EQ(bench.devices.asked.users, (std::vector<std::string>{"a", "b"}));
    const audience::Change& all = bench.devices.asked_change;
    EXPECT_EQ(all.user, "c");
    EXPECT_TRUE(all.sync_topics);
    EXPECT_EQ(all.meta, R"({"k":"v"})");
    EXPECT_EQ(all.topic_op, audience::TopicOp::Add);
    EXPECT_EQ(all.topics, (std::vector<std::string>{"x", "y"}));
    EXPECT_EQ(all.timezone, "Asia/Tokyo");
    EXPECT_EQ(all.locale, "ja-JP");
    EXPECT_FALSE(all.guard_user.has_value());

    answer(bench, "device_update",
           R"({"users":["a"],"user_update":{},"meta_update":null,"locale_update":{"locale":""}})");
    const audience::Change& some = bench.devices.asked_change;
    EXPECT_EQ(some.user, "") << "a user_update without user takes the owner away";
    EXPECT_FALSE(some.sync_topics);
    EXPECT_EQ(some.locale, "");
    EXPECT_FALSE(some.meta || some.timezone || some.topic_op);
}

TEST(DeviceUpdate, SaysWhenNoNamedDeviceIsThere) {
    ApiBench bench;
    bench.devices.verdict = Verdict::Missing;
    const std::string change = R"("user_update":{"user":"c"}})";
    EXPECT_EQ(code_of(bench, "device_update", R"({"ids":[")" + kId + "\"]," + change), 104);
    EXPECT_EQ(answer(bench, "device_update", R"({"users":["nobody"],)" + change), Json::parse(R"({"result":{}})"));
}

TEST(DeviceUpdate, NamesTheDeviceThatWouldHaveTooManyTopics) {
    ApiBench bench;
    bench.devices.verdict = Verdict::TooManyTopics;
    const Json error = answer(bench, "device_update",
                              R"({"ids":[")" + kId + R"("],"topics_update":{"op":"add","topics":["a"]}})")["error"];
    EXPECT_EQ(error["code"], 107);
    EXPECT_EQ(error["message"], "topics_update.topics: device " + kId +
                                    " would have more than 1000 topics of its own; it was not changed");
}

TEST(DeviceUpdate, SaysThatADeviceOfAUserWasNotChanged) {
    ApiBench bench;
    bench.devices.users_verdict = Verdict::TooManyTopics;
    const std::string body = R"({"users":["u"],"topics_update":{"op":"add","topics":["a"]}})";
    EXPECT_EQ(code_of(bench, "device_update", body), 107);
    bench.devices.users_verdict = Verdict::Done;
    EXPECT_EQ(answer(bench, "device_update", body), Json::parse(R"({"result":{}})"));
}

TEST(DeviceUpdate, RefusesIdsOfOtherApps) {
    ApiBench bench;
    const std::string foreign = encode_device_id("shop", 9);
    EXPECT_EQ(code_of(bench, "device_update", R"({"ids":[")" + foreign + R"("],"user_update":{"user":"c"}})"), 107);
    EXPECT_EQ(code_of(bench, "device_topic_update", R"({"device_id":")" + foreign + R"(","op":"set"})"), 107);
}

TEST(DeviceTopicUpdate, GuardsByUser) {
    ApiBench bench;
    const std::string body = R"({"device_id":")" + kId + R"(","op":"set","topics":["a"],"user":"u"})";
    EXPECT_EQ(answer(bench, "device_topic_update", body), Json::parse(R"({"result":{}})"));
    EXPECT_EQ(bench.devices.asked_change.guard_user, "u");
    EXPECT_EQ(bench.devices.asked_change.topic_op, audience::TopicOp::Set);
    bench.devices.verdict = Verdict::Guarded;
    EXPECT_EQ(code_of(bench, "device_topic_update", body), 113);
    bench.devices.verdict = Verdict::Missing;
    EXPECT_EQ(code_of(bench, "device_topic_update", body), 104);
    bench.devices.verdict = Verdict::TooManyTopics;
    EXPECT_EQ(code_of(bench, "device_topic_update", body), 107);
    bench.devices.verdict = Verdict::Done;
    answer(bench, "device_topic_update", R"({"device_id":")" + kId + R"(","op":"set","user":""})");
    EXPECT_FALSE(bench.devices.asked_change.guard_user.has_value()) << "an empty guard is none, as clients send it";
}

TEST(DeviceTopicList, ShowsTheIdAlwaysAndTheRestOnRequest) {
    ApiBench bench;
    audience::TopicRow row;
    row.key = row.device.key = 9;
    row.topic = "news";
    row.device.provider = "fcm-main";
    row.device.token = "t";
    row.device.user = "u";
    bench.devices.topic_page.rows = {row};
    bench.devices.topic_page.next_cursor = "c2";
    bench.devices.topic_page.total = 4;
    const Json plain = answer(bench, "device_topic_list", R"({"filter":{"device_ids":[")" + kId + R"("],
        "device_providers":["fcm"],"device_platforms":["ios"],"device_users":["u"],"topics":["news"],
        "topic_prefix":"ne"},"include_total_count":true,"cursor":"c1","limit":3})")["result"];
    EXPECT_EQ(plain["items"][0]["device"], (Json{{"id", kId}}));
    EXPECT_EQ(plain["items"][0]["topic"], "news");
    EXPECT_EQ(plain["items"][0].size(), 3u);
    EXPECT_EQ(plain["next_cursor"], "c2");
    EXPECT_EQ(plain["total_count"], 4);
    const audience::Selection& asked = bench.devices.asked;
    EXPECT_EQ(asked.keys, std::vector<int64_t>{9});
    EXPECT_EQ(asked.providers, std::vector<std::string>{"fcm-main"});
    EXPECT_EQ(asked.platforms, std::vector<std::string>{"ios"});
    EXPECT_EQ(asked.users, std::vector<std::string>{"u"});
    EXPECT_EQ(asked.topics, std::vector<std::string>{"news"});
    EXPECT_EQ(asked.topic_prefix, "ne");
    EXPECT_EQ(bench.devices.asked_paging.limit, 3u);
    EXPECT_EQ(bench.devices.asked_paging.cursor, "c1");
    EXPECT_FALSE(bench.devices.asked_paging.want_devices);

    const Json full = answer(bench, "device_topic_list", R"({"include_device":true})")["result"]["items"][0];
    EXPECT_EQ(full["device"], (Json{{"id", kId}, {"provider", "fcm"}, {"token", "t"}, {"user", "u"}}));
    EXPECT_EQ(full["id"], plain["items"][0]["id"]) << "the same pair has the same id";
    EXPECT_TRUE(bench.devices.asked_paging.want_devices);
}

TEST(UserTopicList, ShowsTheBindingOfEveryDeviceTooAndIdsApart) {
    ApiBench bench;
    audience::TopicRow global, mine;
    global.topic = mine.topic = "news";
    mine.user = "u";
    bench.devices.topic_page.rows = {global, mine};
    const Json result =
        answer(bench, "user_topic_list", R"({"filter":{"users":["","u"],"topic_prefix":"n"}})")["result"];
    ASSERT_EQ(result["items"].size(), 2u);
    EXPECT_EQ(result["items"][0]["user"], "");
    EXPECT_EQ(result["items"][1]["user"], "u");
    EXPECT_NE(result["items"][0]["id"], result["items"][1]["id"]);
    EXPECT_FALSE(result.contains("next_cursor"));
    EXPECT_FALSE(result.contains("total_count"));
    EXPECT_EQ(bench.devices.asked.users, (std::vector<std::string>{"", "u"}));
}

TEST(DeviceMethods, PassTroubleOfTheStorageOn) {
    ApiBench bench;
    bench.devices.refusal = error(ErrorCode::Unavailable, "connection lost");
    const std::string id = R"("device_id":")" + kId + "\"";
    EXPECT_EQ(code_of(bench, "device_update", R"({"users":["u"],"user_update":{}})"), 100);
    EXPECT_EQ(code_of(bench, "device_topic_update", "{" + id + R"(,"op":"set"})"), 100);
    EXPECT_EQ(code_of(bench, "device_topic_list", "{}"), 100);
    EXPECT_EQ(code_of(bench, "user_topic_list", "{}"), 100);
    EXPECT_EQ(bench.transport("device_topic_list", "{}").status, 503);
}

}  // namespace
}  // namespace belfry::api
