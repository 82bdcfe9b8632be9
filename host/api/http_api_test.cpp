// SPDX-License-Identifier: Apache-2.0
// What every request gets before its method is asked: routes, keys, bodies, envelopes.
#include "api/http_api.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/api_fakes.h"
#include "api/device_export.h"

namespace belfry::api {
namespace {

constexpr const char* kUnknown = R"({"uid":"nope"})";

TEST(HttpApi, AuthenticatesInThePublishedOrder) {
    struct Case {
        const char *x_api_key, *authorization, *query;
        bool in;
    };
    const Case cases[] = {
        {"key-1", "", "", true},
        {"wrong", "", "", false},
        {"", "apikey key-1", "", true},
        {"", "APIKEY key-1", "", true},
        {"", "Apikey   key-1 ", "", true},
        {"", "apikey wrong", "", false},
        {"", "apikey key-1 more", "", false},
        {"", "Bearer key-1", "", false},
        {"", "key-1", "", false},
        {"", "", "api_key=key-1", true},
        {"", "", "a=b&api_key=key%2D1&c", true},
        {"", "", "api_key=wrong&api_key=key-1", false},
        {"", "", "xapi_key=key-1", false},
        // X-API-Key decides alone against Authorization; the query is the last chance of both.
        {"wrong", "apikey key-1", "", false},
        {"wrong", "", "api_key=key-1", true},
        {"", "apikey wrong", "api_key=key-1", true},
        {"key-1", "apikey wrong", "api_key=wrong", true},
        {"", "", "", false},
        {"", "apikey ", "", false},
    };
    ApiBench bench;
    for (const Case& c : cases) {
        FakeRequest request("POST", std::string("/api/cancel_push") + (*c.query ? "?" : "") + c.query, kUnknown);
        if (*c.x_api_key) request.headers["X-API-Key"] = c.x_api_key;
        if (*c.authorization) request.headers["Authorization"] = c.authorization;
        const HttpResponse response = bench.http.handle(request);
        const std::string what = std::string(c.x_api_key) + "|" + c.authorization + "|" + c.query;
        EXPECT_EQ(response.status, c.in ? 200 : 401) << what;
        EXPECT_EQ(response.body.empty(), !c.in) << what;
        EXPECT_EQ(request.bytes_read() > 0, c.in) << "a stranger's body is not read: " << what;
    }
}

TEST(HttpApi, GivesEachKeyItsApp) {
    ApiBench bench;
    bench.post("user_topic_update", R"({"user":"u","op":"set"})", "key-2");
    EXPECT_EQ(bench.devices.asked_topics, "shop/u/3");
    bench.keys.set({{"new", std::make_shared<const App>(ApiBench::app("other"))}});
    EXPECT_EQ(bench.post("user_topic_update", R"({"user":"u","op":"set"})", "key-2").status, 401);
    bench.post("user_topic_update", R"({"user":"u","op":"set"})", "new");
    EXPECT_EQ(bench.devices.asked_topics, "other/u/3");
}

TEST(HttpApi, RoutesAsThePublishedServerDoes) {
    struct Case {
        const char *method, *target;
        int status;
        const char* body;
    };
    const Case cases[] = {
        {"GET", "/", 404, "404 page not found\n"},
        {"POST", "/api", 404, "404 page not found\n"},
        {"POST", "/api/", 404, "404 page not found\n"},
        {"POST", "/api/no_such_method", 404, "404 page not found\n"},
        {"GET", "/api/device_list", 405, ""},
        {"PUT", "/api/device_list", 405, ""},
        {"POST", "/health", 405, ""},
        {"POST", "/api/device_list", 401, ""},
        {"GET", "/health", 200, R"({"status":"ok","components":[{"name":"storage","ready":true}]})"},
        {"GET", "/metrics", 200, "belfry_up 1\n"},
        {"GET", "/ready?x", 200, R"({"status":"ready","components":[{"name":"storage","ready":true}]})"},
    };
    ApiBench bench;
    for (const Case& c : cases) {
        FakeRequest request(c.method, c.target, "");
        const HttpResponse response = bench.http.handle(request);
        EXPECT_EQ(response.status, c.status) << c.method << c.target;
        EXPECT_EQ(response.body, c.body) << c.method << c.target;
    }
}

TEST(HttpApi, SaysWhatIsNotReady) {
    ApiBench bench;
    bench.components.push_back({"provider fcm", "paused: credentials refused", false});
    FakeRequest request("GET", "/ready", "");
    HttpResponse response = bench.http.handle(request);
    EXPECT_EQ(response.status, 503);
    FakeRequest alive("GET", "/health", "");
    EXPECT_EQ(bench.http.handle(alive).status, 200) << "a provider in trouble is no reason to restart the process";
    EXPECT_EQ(response.body, R"({"status":"not ready","components":[{"name":"storage","ready":true},)"
                             R"({"name":"provider fcm","ready":false,"detail":"paused: credentials refused"}]})");
    bench.components.pop_back();
    bench.http.set_stopping();
    response = bench.http.handle(request);
    EXPECT_EQ(response.status, 503);
    EXPECT_NE(response.body.find("\"stopping\""), std::string::npos);
}

TEST(HttpApi, Refuses400AsPlainTextForWhatIsNoJsonObject) {
    ApiBench bench;
    for (const char* body :
         {"", " ", "{", "[]", "\"x\"", "1", "[]x", "{\"a\":1,}", "\xff\xfe", "{}{}", "{\"a\":\"\x01\"}"}) {
        const HttpResponse response = bench.post("device_list", body);
        EXPECT_EQ(response.status, 400) << body;
        EXPECT_EQ(response.body, "Bad Request\n");
        EXPECT_EQ(response.content_type, "text/plain; charset=utf-8");
    }
    EXPECT_EQ(bench.post("device_list", "null").status, 200);
    EXPECT_EQ(bench.post("device_list", " {} ").status, 200);
}

TEST(HttpApi, RefusesLongBodiesUnread) {
    HttpOptions options;
    options.max_body_bytes = 100;
    ApiBench bench(options);
    FakeRequest told("POST", "/api/device_list?api_key=key-1", std::string(101, ' '));
    HttpResponse response = bench.http.handle(told);
    EXPECT_EQ(response.status, 413);
    EXPECT_TRUE(response.close);
    EXPECT_EQ(told.bytes_read(), 0u);
    FakeRequest chunked("POST", "/api/device_list?api_key=key-1", std::string(500'000, ' '));
    chunked.chunked = true;
    chunked.step = 8192;
    response = bench.http.handle(chunked);
    EXPECT_EQ(response.status, 413);
    EXPECT_LE(chunked.bytes_read(), 65536u);
    FakeRequest fits("POST", "/api/device_list?api_key=key-1", "{}" + std::string(98, ' '));
    EXPECT_EQ(bench.http.handle(fits).status, 200);
}

TEST(HttpApi, ReadsChunkedBodies) {
    ApiBench bench;
    const std::string pad(200'000, ' ');
    FakeRequest request("POST", "/api/cancel_push?api_key=key-1", "{" + pad + "\"uid\":\"known\"}");
    request.chunked = true;
    request.step = 1000;
    const HttpResponse response = bench.http.handle(request);
    EXPECT_EQ(response.body, R"({"result":{}})");
}

TEST(HttpApi, RefusesRequestsWhoseBodyDoesNotCome) {
    ApiBench bench;
    FakeRequest request("POST", "/api/cancel_push?api_key=key-1", R"({"uid":"known"})");
    request.breaks_at = 7;
    const HttpResponse response = bench.http.handle(request);
    EXPECT_TRUE(response.close);
    EXPECT_EQ(response.status, 400);
    FakeRequest cut("POST", "/api/cancel_push?api_key=key-1", R"({"uid":"known"})");
    cut.told_length = 1000;
    EXPECT_EQ(bench.http.handle(cut).status, 400);
}

TEST(HttpApi, SharesMemoryBetweenBodiesAndAnswers111BeyondIt) {
    HttpOptions options;
    options.body_memory_bytes = 1000;
    ApiBench bench(options);
    HttpResponse response = bench.post("device_list", "{}" + std::string(999, ' '));
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(nlohmann::json::parse(response.body)["error"]["code"], 111);
    EXPECT_TRUE(response.close);
    response = bench.transport("device_list", "{}" + std::string(999, ' '));
    EXPECT_EQ(response.status, 429);
    EXPECT_EQ(response.headers, (std::vector<std::pair<std::string, std::string>>{{"Retry-After", "1"}}));
    // Nothing leaks: the memory is there again.
    for (int i = 0; i < 5; ++i)
        EXPECT_EQ(nlohmann::json::parse(bench.post("device_list", "{}" + std::string(998, ' ')).body).count("result"),
                  1u);
}

TEST(HttpApi, CountsWhatIsMadeOfABodyToo) {
    HttpOptions options;
    options.body_memory_bytes = kExportMemory + 1000;
    ApiBench bench(options);
    std::string body = R"({"filter":{"users":["u")";
    for (int i = 0; i < 60; ++i) body += R"(,"u")";
    body += "]}}";
    ASSERT_LT(body.size(), 1000u);
    EXPECT_EQ(nlohmann::json::parse(bench.post("device_list", body).body).count("result"), 1u);
    HttpResponse open = bench.post("device_export", "{}");  // holds all but 1000 bytes
    ASSERT_TRUE(open.stream);
    EXPECT_EQ(nlohmann::json::parse(bench.post("device_list", body).body)["error"]["code"], 111);
    open.stream.reset();
    EXPECT_EQ(nlohmann::json::parse(bench.post("device_list", body).body).count("result"), 1u);
}

TEST(HttpApi, TakesMemoryForABodyOnlyAsItComes) {
    HttpOptions options;
    options.body_memory_bytes = 1 << 20;
    ApiBench bench(options);
    // A client that announces much and sends little.
    FakeRequest idler("POST", "/api/cancel_push?api_key=key-1", "{");
    idler.told_length = 16 << 20;
    EXPECT_EQ(bench.http.handle(idler).status, 400) << "it did not need what it announced";
}

TEST(HttpApi, ReadsALongBodyWithoutALengthWhenNobodyElseIsThere) {
    HttpOptions options;
    options.max_body_bytes = 500'000;
    options.body_memory_bytes = 1'000'000;
    ApiBench bench(options);
    // Room for it is taken in steps that double, and what is made of it costs more than is left then.
    std::string body = R"({"filter":{"users":["u")";
    while (body.size() < 270'000) body += R"(,"u")";
    body += "]}}";
    FakeRequest request("POST", "/api/device_list?api_key=key-1", body);
    request.chunked = true;
    const nlohmann::json answer = nlohmann::json::parse(bench.http.handle(request).body);
    EXPECT_EQ(answer.count("result"), 1u) << answer;
}

TEST(HttpApi, WrapsErrorsByMode) {
    struct Case {
        ErrorCode error;
        int code, status;
    };
    const Case cases[] = {
        {ErrorCode::InvalidArgument, 107, 400},  {ErrorCode::TooLarge, 107, 400},
        {ErrorCode::NotFound, 104, 404},         {ErrorCode::Conflict, 113, 409},
        {ErrorCode::Unsupported, 108, 400},      {ErrorCode::Busy, 111, 429},
        {ErrorCode::StoreFull, 100, 507},        {ErrorCode::Unavailable, 100, 503},
        {ErrorCode::DeadlineExceeded, 100, 503}, {ErrorCode::Internal, 100, 500},
        {ErrorCode::Corrupt, 100, 500},          {ErrorCode::Cancelled, 100, 503},
        {ErrorCode::Misconfigured, 100, 503},    {ErrorCode::Unauthenticated, 100, 503},
    };
    ApiBench bench;
    for (const Case& c : cases) {
        bench.delivery.refusal = error(c.error, "because", "uid");
        const HttpResponse standard = bench.post("cancel_push", kUnknown);
        EXPECT_EQ(standard.status, 200);
        EXPECT_EQ(nlohmann::json::parse(standard.body)["error"]["code"], c.code);
        const HttpResponse transport = bench.transport("cancel_push", kUnknown);
        EXPECT_EQ(transport.status, c.status) << c.code;
        const nlohmann::json body = nlohmann::json::parse(transport.body);
        EXPECT_EQ(body["code"], c.code);
        EXPECT_EQ(body.size(), 2u);
        const bool says_why = c.status != 500;
        EXPECT_EQ(body["message"].get<std::string>().find("uid: because") != std::string::npos, says_why) << body;
    }
}

TEST(HttpApi, KeepsSuccessesEnvelopedInTransportMode) {
    ApiBench bench;
    EXPECT_EQ(bench.transport("cancel_push", R"({"uid":"known"})").body, R"({"result":{}})");
    HttpOptions options;
    options.transport_errors = true;
    ApiBench configured(options);
    EXPECT_EQ(configured.post("cancel_push", kUnknown).status, 404);
}

TEST(HttpApi, CountsCallsByMethodAndCode) {
    ApiBench bench;
    bench.post("cancel_push", R"({"uid":"known"})");
    bench.post("cancel_push", kUnknown);
    bench.post("cancel_push", kUnknown);
    EXPECT_EQ(bench.metrics.value("api_requests_total", {{"method", "cancel_push"}, {"code", "0"}}), 1);
    EXPECT_EQ(bench.metrics.value("api_requests_total", {{"method", "cancel_push"}, {"code", "104"}}), 2);
}

TEST(HttpApi, DescribesItself) {
    ApiBench bench;
    FakeRequest request("GET", "/openapi.json", "");
    const nlohmann::json document = nlohmann::json::parse(bench.http.handle(request).body);
    EXPECT_EQ(document["info"]["version"], "1.2.3");
    for (const char* method : {"device_register", "device_update", "device_remove", "device_list", "device_topic_list",
                               "device_topic_update", "user_topic_list", "user_topic_update", "send_push_notification",
                               "update_push_status", "cancel_push", "batch", "push_status"}) {
        EXPECT_TRUE(document["paths"].contains(std::string("/") + method)) << method;
    }
    EXPECT_EQ(document["components"]["securitySchemes"]["ApiKeyAuth"]["name"], "X-API-Key");
    // Every reference leads somewhere.
    const std::string text = document.dump();
    for (size_t at = text.find("#/components/schemas/"); at != std::string::npos;
         at = text.find("#/components/schemas/", at + 1)) {
        const size_t begin = at + 21;
        const std::string name = text.substr(begin, text.find('"', begin) - begin);
        EXPECT_TRUE(document["components"]["schemas"].contains(name)) << name;
    }
}

}  // namespace
}  // namespace belfry::api
