// SPDX-License-Identifier: Apache-2.0
#include <belfry/services.h>
#include <gtest/gtest.h>

#include <belfry/abi.hpp>

#include "fakes/service_host.h"

namespace belfry::services {
namespace {

using fakes::ScriptedHttp;
using fakes::TestHost;

belfry_endpoint endpoint_of(std::string_view url) {
    auto endpoint = sized<belfry_endpoint>();
    endpoint.url = str(url);
    return endpoint;
}

struct Asking {
    std::string path = "/token", headers = "content-type: text/plain\n", body = "grant=x", origin;
    belfry_why why{};
    int status = 0;
    std::string answer, retry_after;
    int64_t date = 0;

    belfry_code run(const TestHost& host, int32_t endpoint) {
        const std::string buf = path + headers + body + origin;
        auto request = sized<belfry_request>();
        const auto at = [](size_t n) { return static_cast<uint32_t>(n); };
        request.path = {0, at(path.size())};
        request.headers = {at(path.size()), at(headers.size())};
        request.body = {at(path.size() + headers.size()), at(body.size())};
        request.origin = {at(path.size() + headers.size() + body.size()), at(origin.size())};
        const auto& http = host.service<belfry_http>(BELFRY_HTTP_ID);
        return collect<belfry_answer>(
            [&](auto emit, void* ctx) {
                return http.call(host.abi(), endpoint, str("POST"), &request, buf.data(), 5'000, emit, ctx, &why);
            },
            [&](const belfry_answer& row) {
                status = row.status;
                answer = text(row.body);
                date = row.date_unix_ms;
                for (const belfry_header& header : Rows<belfry_header>(row.headers)) {
                    if (view(header.name) == "retry-after") retry_after = text(header.value);
                }
            });
    }
};

TEST(HttpService, EndpointTakesTrustAndConnectionsFromTheInstance) {
    const TestHost host({"fcm", "fcm", "/etc/ca.pem", 3, {}, false, {"http://proxy:3128", "me", "secret", true}, true});
    const auto& http = host.service<belfry_http>(BELFRY_HTTP_ID);
    auto asked = endpoint_of("https://localhost:1");
    asked.flags = BELFRY_ENDPOINT_H1_OK;
    asked.partition = str("p");
    asked.connections_max = 20;
    EXPECT_EQ(http.endpoint(host.abi(), &asked, nullptr), 0);
    const http::EndpointConfig& config = host.http.endpoints.at(0);
    EXPECT_EQ(config.url, "https://localhost:1");
    EXPECT_EQ(config.partition, "p");
    EXPECT_EQ(config.ca_file, "/etc/ca.pem");
    EXPECT_EQ(config.proxy, (http::Proxy{"http://proxy:3128", "me", "secret", true}));
    EXPECT_TRUE(config.plain_loopback);
    EXPECT_EQ(config.connections_max, 3U);
    EXPECT_EQ(config.idle_s, 300U);
    EXPECT_TRUE(config.http1_ok);
    EXPECT_FALSE(config.untrusted);
    EXPECT_FALSE(config.wait_settings);
}

TEST(HttpService, EndpointSaysWhyItIsRefused) {
    const TestHost host;
    const auto& http = host.service<belfry_http>(BELFRY_HTTP_ID);
    const auto asked = endpoint_of("ftp://localhost");
    belfry_why why{};
    EXPECT_EQ(http.endpoint(host.abi(), &asked, &why), -1);
    EXPECT_STREQ(why.where, "url");
    EXPECT_STREQ(why.text, "must begin with https://");
}

TEST(HttpService, EndpointsOfAnInstanceAreBounded) {
    const TestHost host;
    const auto& http = host.service<belfry_http>(BELFRY_HTTP_ID);
    const auto asked = endpoint_of("https://localhost");
    for (size_t i = 0; i < kInstanceEndpointsMax; ++i) ASSERT_GE(http.endpoint(host.abi(), &asked, nullptr), 0);
    belfry_why why{};
    EXPECT_EQ(http.endpoint(host.abi(), &asked, &why), -1);
    EXPECT_STRNE(why.text, "");
}

TEST(HttpService, CallSendsWhatThePluginWroteAndEmitsTheAnswer) {
    TestHost host;
    const auto asked = endpoint_of("https://localhost");
    const int32_t id = host.service<belfry_http>(BELFRY_HTTP_ID).endpoint(host.abi(), &asked, nullptr);
    host.http.answers.push_back(http::CallAnswer{503, "busy", {{"retry-after", "7"}}, 1'700'000'000'000});
    Asking asking;
    asking.headers += "x-empty: \n";
    EXPECT_EQ(asking.run(host, id), BELFRY_OK);
    EXPECT_EQ(asking.status, 503);
    EXPECT_EQ(asking.answer, "busy");
    EXPECT_EQ(asking.retry_after, "7");
    EXPECT_EQ(asking.date, 1'700'000'000'000);
    const ScriptedHttp::Asked& sent = host.http.asked.at(0);
    EXPECT_EQ(sent.request.method, "POST");
    EXPECT_EQ(sent.request.path, "/token");
    EXPECT_EQ(sent.request.body, "grant=x");
    EXPECT_EQ(sent.deadline_mono_ns, 5'000);
    const std::vector<std::pair<std::string, std::string>> headers = {{"content-type", "text/plain"}, {"x-empty", ""}};
    EXPECT_EQ(sent.request.headers, headers);
}

TEST(HttpService, NoAnswerIsRetryLater) {
    TestHost host;
    const auto asked = endpoint_of("https://localhost");
    const int32_t id = host.service<belfry_http>(BELFRY_HTTP_ID).endpoint(host.abi(), &asked, nullptr);
    Asking asking;
    EXPECT_EQ(asking.run(host, id), BELFRY_RETRY_LATER);
    EXPECT_STREQ(asking.why.text, "connection refused");
    host.http.answers.push_back(error(ErrorCode::DeadlineExceeded, "no answer in time"));
    EXPECT_EQ(asking.run(host, id), BELFRY_RETRY_LATER);
    EXPECT_STREQ(asking.why.text, "no answer in time");
}

TEST(HttpService, CallRefusesWhatItMustNotSend) {
    TestHost host;
    const auto asked = endpoint_of("https://localhost");
    const int32_t id = host.service<belfry_http>(BELFRY_HTTP_ID).endpoint(host.abi(), &asked, nullptr);
    const auto where = [&](Asking asking, int32_t endpoint) {
        EXPECT_EQ(asking.run(host, endpoint), BELFRY_BAD_REQUEST);
        return std::string(asking.why.where);
    };
    const auto with = [](auto member, std::string value) {
        Asking asking;
        asking.*member = std::move(value);
        return asking;
    };
    EXPECT_EQ(where({}, id + 1), "endpoint");
    EXPECT_EQ(where(with(&Asking::origin, "https://elsewhere"), id), "origin");
    EXPECT_EQ(where(with(&Asking::path, ""), id), "path");
    EXPECT_EQ(where(with(&Asking::path, "/a\r\nx: y"), id), "path");
    EXPECT_EQ(where(with(&Asking::headers, "Upper: a\n"), id), "headers");
    EXPECT_EQ(where(with(&Asking::headers, "a: b\rc\n"), id), "headers");
    EXPECT_EQ(where(with(&Asking::headers, "nocolon\n"), id), "headers");
    EXPECT_EQ(where(with(&Asking::headers, ": b\n"), id), "headers");
    EXPECT_TRUE(host.http.asked.empty());
}

}  // namespace
}  // namespace belfry::services
