// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <set>

#include "api/api_fakes.h"
#include "api/crew.h"

namespace belfry::api {
namespace {

using Json = nlohmann::json;

Json replies(ApiBench& bench, const std::string& request) {
    return Json::parse(bench.post("batch", request).body)["replies"];
}

TEST(ApiBatch, AnswersBareRepliesInOrder) {
    for (const char* parallel : {"false", "true"}) {
        ApiBench bench;
        const Json got = replies(bench, std::string(R"({"commands":[
            {"device_list":{}}, null, {"cancel_push":{"uid":"nope"}}, {"cancel_push":{"uid":"known"}}, {"nothing":{}},
            {}, {"batch":{"commands":[]}}, {"explain":{}}, {"DEVICE_LIST":null},
            {"device_list":{},"cancel_push":{}}, 7
            ],"parallel":)") + parallel + "}");
        ASSERT_EQ(got.size(), 11u);
        EXPECT_EQ(got[0], Json::parse(R"({"device_list":{"items":[]}})"));
        EXPECT_EQ(got[1]["error"]["code"], 107);
        EXPECT_EQ(got[2], Json::parse(R"({"error":{"code":104,"message":"uid: no push of this app has it"}})"));
        EXPECT_EQ(got[3], Json::parse(R"({"cancel_push":{}})"));
        EXPECT_EQ(got[4],
                  Json::parse(R"({"error":{"code":107,"message":"commands[4]: there is no method \"nothing\""}})"));
        EXPECT_EQ(got[5]["error"]["code"], 107);
        EXPECT_EQ(got[6]["error"]["message"], "commands[6]: a batch cannot hold a batch");
        EXPECT_EQ(got[7]["error"]["code"], 108);
        EXPECT_EQ(got[8], Json::parse(R"({"device_list":{"items":[]}})"));
        EXPECT_EQ(got[9]["error"]["code"], 107);
        EXPECT_EQ(got[10]["error"]["code"], 107);
    }
}

TEST(ApiBatch, IsEmptyWithoutCommands) {
    ApiBench bench;
    EXPECT_EQ(bench.post("batch", "{}").body, R"({"replies":[]})");
    EXPECT_EQ(bench.post("batch", R"({"commands":[]})").body, R"({"replies":[]})");
}

TEST(ApiBatch, KeepsErrorsOfCommandsInsideInTransportMode) {
    ApiBench bench;
    const HttpResponse response = bench.transport("batch", R"({"commands":[{"cancel_push":{"uid":"nope"}}]})");
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(Json::parse(response.body)["replies"][0]["error"]["code"], 104);
    EXPECT_EQ(bench.transport("batch", R"({"commands":7})").status, 400);
}

TEST(ApiBatch, CountsTheTimeThatEachMethodTook) {
    ApiBench bench;
    bench.delivery.while_storing = [&] { bench.clock.advance(std::chrono::seconds(2)); };
    const std::string push = R"({"recipient":{"fcm_tokens":["t"]},"notification":{"fcm":{"message":{}}}})";
    bench.post("send_push_notification", push);
    replies(bench, R"({"commands":[
        {"device_register":{"provider":"fcm","token":"a"}}, {"device_register":{"provider":"fcm","token":"b"}},
        {"device_register":{"provider":"none","token":"c"}}, {"send_push_notification":)" +
                       push + "}]}");
    bench.post("device_register", R"({"provider":"fcm","token":"d"})");
    bench.post("device_export", "{}");
    const auto seconds = [&](const char* method) {
        return bench.metrics.value("api_request_seconds_total", {{"method", method}});
    };
    EXPECT_EQ(seconds("send_push_notification"), 4);
    EXPECT_EQ(seconds("batch"), 2);
    EXPECT_EQ(seconds("device_register"), 0);
    EXPECT_EQ(seconds("device_export"), 0);
    EXPECT_EQ(bench.metrics.value("api_requests_total", {{"method", "device_register"}, {"code", "0"}}), 3);
}

TEST(ApiBatch, StoresNeighbouringRegistrationsTogether) {
    ApiBench bench;
    const Json got = replies(bench, R"({"commands":[
        {"device_register":{"provider":"fcm","token":"a"}}, {"device_register":{"provider":"fcm","token":"b"}},
        {"device_register":{"provider":"nope","token":"c"}}, {"device_register":{"provider":"fcm","token":"d"}},
        {"device_list":{}},
        {"device_register":{"provider":"fcm","token":"e"}}]})");
    EXPECT_EQ(bench.devices.groups, (std::vector<size_t>{3, 1}));
    ASSERT_EQ(got.size(), 6u);
    EXPECT_TRUE(got[0]["device_register"].contains("id"));
    EXPECT_EQ(got[2]["error"]["code"], 107);
    EXPECT_TRUE(got[3]["device_register"].contains("id"));
    std::set<std::string> ids;
    for (const size_t i : {0u, 1u, 3u, 5u}) ids.insert(got[i]["device_register"]["id"].get<std::string>());
    EXPECT_EQ(ids.size(), 4u);
}

TEST(ApiBatch, KeepsTheOrderOfRegistrationsOfOneToken) {
    ApiBench bench;
    replies(bench, R"({"commands":[
        {"device_register":{"provider":"fcm","token":"a","user":"first"}},
        {"device_register":{"provider":"fcm","token":"b"}},
        {"device_register":{"provider":"fcm","token":"a","user":"last"}}]})");
    EXPECT_EQ(bench.devices.groups, (std::vector<size_t>{2, 1}));
    EXPECT_EQ(bench.devices.registered.back().user, "last");
}

TEST(ApiBatch, SplitsLongRunsOfRegistrations) {
    ApiBench bench;
    std::string commands;
    for (int i = 0; i < 1200; ++i)
        commands += (i ? "," : "") + std::string(R"({"device_register":{"provider":"fcm","token":"t)") +
                    std::to_string(i) + R"("}})";
    EXPECT_EQ(replies(bench, "{\"commands\":[" + commands + "]}").size(), 1200u);
    EXPECT_EQ(bench.devices.groups, (std::vector<size_t>{500, 500, 200}));
}

TEST(Crew, DoesEveryPieceOnce) {
    Crew crew(3);
    std::vector<std::atomic<int>> done(1000);
    crew.run(done.size(), [&](size_t i) { ++done[i]; });
    for (const auto& n : done) ASSERT_EQ(n, 1);
    crew.run(0, [](size_t) { FAIL(); });
}

TEST(Crew, HelpsManyCallers) {
    Crew crew(2);
    std::atomic<int> sum{0};
    std::vector<std::thread> callers;
    for (int c = 0; c < 4; ++c) {
        callers.emplace_back([&] {
            for (int round = 0; round < 50; ++round) crew.run(10, [&](size_t) { ++sum; });
        });
    }
    for (std::thread& caller : callers) caller.join();
    EXPECT_EQ(sum, 2000);
}

}  // namespace
}  // namespace belfry::api
