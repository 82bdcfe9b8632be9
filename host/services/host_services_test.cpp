// SPDX-License-Identifier: Apache-2.0
#include "services/host_services.h"

#include <belfry/services.h>
#include <gtest/gtest.h>

#include <belfry/abi.hpp>
#include <limits>

#include "fakes/service_host.h"

namespace belfry::services {
namespace {

using fakes::TestHost;

const void* service(const TestHost& host, std::string_view id) {
    return host.abi()->service(host.abi(), str(id));
}

TEST(HostServices, KnowsItsServicesById) {
    const TestHost host;
    EXPECT_EQ(host.abi()->size, sizeof(belfry_host));
    for (const char* id : {BELFRY_LOG_ID, BELFRY_METRICS_ID, BELFRY_CLOCK_ID, BELFRY_HTTP_ID, BELFRY_JSON_ID,
                           BELFRY_SECRET_ID, BELFRY_STATE_ID}) {
        const void* table = service(host, id);
        ASSERT_NE(table, nullptr) << id;
        uint32_t size = 0;
        std::memcpy(&size, table, sizeof size);
        EXPECT_GE(size, 16U) << id;
    }
    EXPECT_EQ(service(host, "belfry.log/2"), nullptr);
    EXPECT_EQ(service(host, ""), nullptr);
}

TEST(HostServices, ReducedHostOnlyLogs) {
    const TestHost host({"fcm", "fcm", "", 0, {}, true, {}, false});
    EXPECT_NE(service(host, BELFRY_LOG_ID), nullptr);
    EXPECT_EQ(service(host, BELFRY_HTTP_ID), nullptr);
}

TEST(LogService, SaysTheInstanceAndTheFields) {
    TestHost host;
    const auto& log = host.service<belfry_log>(BELFRY_LOG_ID);
    const belfry_header fields[] = {{str("endpoint"), str("https://x")}, {str("n"), str("3")}};
    log.write(host.abi(), BELFRY_LEVEL_WARNING, str("something happened"), {fields, 2, sizeof fields[0]});
    ASSERT_EQ(host.log.lines.size(), 1U);
    EXPECT_EQ(host.log.lines[0].source, "plugin fcm-shop");
    EXPECT_EQ(host.log.lines[0].level, LogLevel::Warning);
    EXPECT_EQ(host.log.lines[0].event, "something happened");
    EXPECT_EQ(host.log.lines[0].fields, "endpoint=https://x n=3");
}

TEST(LogService, DropsLinesBelowTheLevelAndCutsFloods) {
    TestHost host;
    host.log.threshold = LogLevel::Info;
    const auto& log = host.service<belfry_log>(BELFRY_LOG_ID);
    EXPECT_EQ(log.enabled(host.abi(), BELFRY_LEVEL_DEBUG), 0);
    EXPECT_EQ(log.enabled(host.abi(), BELFRY_LEVEL_INFO), 1);
    log.write(host.abi(), BELFRY_LEVEL_DEBUG, str("quiet"), {});
    EXPECT_TRUE(host.log.lines.empty());
    const std::string flood(100'000, 'x');
    const std::vector<belfry_header> fields(100, {str("f"), str(flood)});
    log.write(host.abi(), 99, str(flood), list_of(fields));
    ASSERT_EQ(host.log.lines.size(), 1U);
    EXPECT_EQ(host.log.lines[0].level, LogLevel::Error);
    EXPECT_LE(host.log.lines[0].event.size(), 1024U);
    EXPECT_LE(host.log.lines[0].fields.size(), 17'000U);
}

TEST(MetricsService, CarriesPluginAndInstance) {
    TestHost host;
    const auto& metrics = host.service<belfry_metrics>(BELFRY_METRICS_ID);
    const int32_t fetches = metrics.define(host.abi(), BELFRY_METRIC_COUNTER, str("token_fetches_total"), str("help"));
    const int32_t skew = metrics.define(host.abi(), BELFRY_METRIC_GAUGE, str("clock_skew_seconds"), str("help"));
    ASSERT_GE(fetches, 0);
    ASSERT_GE(skew, 0);
    EXPECT_EQ(metrics.define(host.abi(), BELFRY_METRIC_COUNTER, str("token_fetches_total"), str("help")), fetches);
    metrics.record(host.abi(), fetches, 1);
    metrics.record(host.abi(), fetches, 2);
    metrics.record(host.abi(), fetches, -5);
    metrics.record(host.abi(), fetches, std::numeric_limits<double>::quiet_NaN());
    metrics.record(host.abi(), skew, -4.5);
    EXPECT_EQ(host.metrics.value("plugin_fcm_token_fetches_total", {{"instance", "fcm-shop"}}), 3);
    EXPECT_EQ(host.metrics.value("plugin_fcm_clock_skew_seconds", {{"instance", "fcm-shop"}}), -4.5);
}

TEST(MetricsService, RefusesBadNamesKindsHandlesAndMoreThanItsBound) {
    TestHost host;
    const auto& metrics = host.service<belfry_metrics>(BELFRY_METRICS_ID);
    for (const char* name : {"", "Upper", "with-dash", "with9", "a b"}) {
        EXPECT_EQ(metrics.define(host.abi(), BELFRY_METRIC_COUNTER, str(std::string_view(name)), str("help")), -1)
            << name;
    }
    EXPECT_EQ(metrics.define(host.abi(), 7, str("name"), str("help")), -1);
    ASSERT_EQ(metrics.define(host.abi(), BELFRY_METRIC_COUNTER, str("n"), str("help")), 0);
    EXPECT_EQ(metrics.define(host.abi(), BELFRY_METRIC_GAUGE, str("n"), str("help")), -1);
    std::string name = "m";
    for (size_t i = 1; i < kInstanceMetricsMax; ++i)
        EXPECT_GE(metrics.define(host.abi(), BELFRY_METRIC_GAUGE, str(name += "x"), str("h")), 0);
    EXPECT_EQ(metrics.define(host.abi(), BELFRY_METRIC_GAUGE, str("toomany"), str("h")), -1);
    metrics.record(host.abi(), -1, 1);
    metrics.record(host.abi(), 64, 1);
    EXPECT_EQ(host.metrics.value("plugin_fcm_n", {{"instance", "fcm-shop"}}), 0);
}

TEST(ClockService, IsTheHostsClock) {
    TestHost host;
    const auto& clock = host.service<belfry_clock>(BELFRY_CLOCK_ID);
    const int64_t before = clock.mono_ns(host.abi());
    host.clock.advance(std::chrono::seconds(3));
    EXPECT_EQ(clock.mono_ns(host.abi()) - before, 3'000'000'000);
    EXPECT_EQ(clock.unix_ms(host.abi()), host.clock.unix_ms());
}

TEST(SecretService, ReadsThroughTheInstancesReader) {
    const TestHost host({"fcm",
                         "fcm",
                         "",
                         0,
                         [](std::string_view id) -> Result<std::string> {
                             if (id == "s1") return std::string("PEM");
                             return error(ErrorCode::Misconfigured, "cannot read key.json: no such file",
                                          "credentials");
                         },
                         false,
                         {},
                         false});
    const auto& secret = host.service<belfry_secret>(BELFRY_SECRET_ID);
    belfry_why why{};
    std::string read;
    const auto keep = [&](const belfry_str& row) { read = text(row); };
    EXPECT_EQ(collect<belfry_str>(
                  [&](auto emit, void* ctx) { return secret.read(host.abi(), str("s1"), emit, ctx, &why); }, keep),
              BELFRY_OK);
    EXPECT_EQ(read, "PEM");
    EXPECT_EQ(collect<belfry_str>(
                  [&](auto emit, void* ctx) { return secret.read(host.abi(), str("s2"), emit, ctx, &why); }, keep),
              BELFRY_CONFIG);
    EXPECT_STREQ(why.where, "credentials");
    EXPECT_STREQ(why.text, "cannot read key.json: no such file");
}

TEST(SecretService, WithoutSecretsNothingIsFound) {
    const TestHost host;
    belfry_why why{};
    EXPECT_EQ(host.service<belfry_secret>(BELFRY_SECRET_ID).read(host.abi(), str("s1"), nullptr, nullptr, &why),
              BELFRY_NOT_FOUND);
    EXPECT_STRNE(why.text, "");
}

}  // namespace
}  // namespace belfry::services
