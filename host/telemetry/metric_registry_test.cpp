// SPDX-License-Identifier: Apache-2.0
#include "telemetry/metric_registry.h"

#include <gtest/gtest.h>

#include <thread>

namespace belfry::telemetry {
namespace {

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

TEST(MetricRegistry, WritesFamiliesWithHelpTypeAndSeries) {
    MetricRegistry registry;
    registry.counter("pushes_accepted_total", "Pushes stored", {{"app", "default"}}).add(3);
    registry.gauge("queue_lag_seconds", "Age of the oldest").set(0.25);
    const std::string text = registry.exposition();
    EXPECT_TRUE(contains(text,
                         "# HELP belfry_pushes_accepted_total Pushes stored\n"
                         "# TYPE belfry_pushes_accepted_total counter\n"
                         "belfry_pushes_accepted_total{app=\"default\"} 3\n"))
        << text;
    EXPECT_TRUE(contains(text, "# TYPE belfry_queue_lag_seconds gauge\nbelfry_queue_lag_seconds 0.25\n")) << text;
}

TEST(MetricRegistry, AnswersTheSameSeriesForTheSameLabelsInAnyOrder) {
    MetricRegistry registry;
    Metric& one = registry.counter("n_total", "n", {{"a", "1"}, {"b", "2"}});
    Metric& same = registry.counter("n_total", "n", {{"b", "2"}, {"a", "1"}});
    Metric& other = registry.counter("n_total", "n", {{"a", "2"}, {"b", "2"}});
    EXPECT_EQ(&one, &same);
    EXPECT_NE(&one, &other);
}

TEST(MetricRegistry, EscapesLabelValuesAndHelp) {
    MetricRegistry registry;
    registry.counter("n_total", "one\ntwo", {{"a", "x\"y\\z\n"}}).add();
    const std::string text = registry.exposition();
    EXPECT_TRUE(contains(text, "# HELP belfry_n_total one\\ntwo\n")) << text;
    EXPECT_TRUE(contains(text, "belfry_n_total{a=\"x\\\"y\\\\z\\n\"} 1\n")) << text;
}

TEST(MetricRegistry, WritesPublishedNamesOnlyWhenAsked) {
    for (const bool published : {false, true}) {
        MetricRegistry registry(published);
        registry.counter("push_notification_count", "Deliveries", {{"provider", "fcm"}}).add(2);
        const std::string text = registry.exposition();
        EXPECT_FALSE(contains(text, "belfry_push_notification_count"));
        EXPECT_EQ(contains(text, "centrifugo_push_notification_count{provider=\"fcm\"} 2\n"), published);
    }
}

TEST(MetricRegistry, BoundsTheSeriesOfAFamily) {
    MetricRegistry registry;
    for (size_t i = 0; i < kSeriesMax + 10; ++i) registry.counter("n_total", "n", {{"i", std::to_string(i)}}).add();
    const std::string text = registry.exposition();
    EXPECT_TRUE(contains(text, "belfry_metric_series_dropped 10\n"));
    EXPECT_FALSE(contains(text, "{i=\"1005\"}"));
}

TEST(MetricRegistry, RefreshesReadGaugesBeforeEachExposition) {
    MetricRegistry registry;
    Metric& gauge = registry.gauge("reads", "reads");
    registry.before_exposition([&gauge] { gauge.add(); });
    registry.exposition();
    EXPECT_TRUE(contains(registry.exposition(), "belfry_reads 2\n"));
}

TEST(MetricRegistry, CountsFromManyThreads) {
    MetricRegistry registry;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&registry] {
            for (int i = 0; i < 1000; ++i) registry.counter("n_total", "n").add();
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(registry.counter("n_total", "n").get(), 4000);
}

TEST(ProcessMetrics, SayWhatTheProcessUses) {
    MetricRegistry registry;
    define_process_metrics(registry, "0.1.0");
    const std::string text = registry.exposition();
    EXPECT_TRUE(contains(text, "belfry_build_info{version=\"0.1.0\"} 1\n"));
    EXPECT_GT(registry.gauge("process_resident_memory_bytes", "").get(), 100'000);
    EXPECT_GE(registry.gauge("process_threads", "").get(), 1);
}

}  // namespace
}  // namespace belfry::telemetry
