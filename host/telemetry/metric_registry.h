// SPDX-License-Identifier: Apache-2.0
// Keeps every metric and writes them in Prometheus text format 0.0.4, names prefixed "belfry_".
//
// Counters and gauges are atomics that modules hold by reference; defining one takes a lock, recording does not.
// Families with names that Centrifugo PRO publishes (push_notification_count and its siblings) are written as
// "centrifugo_..." and only with `published_names`, so that existing dashboards work. Threads:
// [any]. Owner: main. Ends: after every module that records.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/metrics.h"

namespace belfry::telemetry {

// Series per family; more are counted in belfry_metric_series_dropped and share one unexported series.
inline constexpr size_t kSeriesMax = 1000;

class MetricRegistry final : public Metrics {
public:
    explicit MetricRegistry(bool published_names = false);

    Metric& counter(std::string_view name, std::string_view help, const MetricLabels& labels = {}) override;
    Metric& gauge(std::string_view name, std::string_view help, const MetricLabels& labels = {}) override;
    // Runs before every exposition to set gauges that are read rather than kept. Register at start-up.
    void before_exposition(std::function<void()> refresh);

    std::string exposition() const;

private:
    enum class Kind : uint8_t { Counter, Gauge };
    struct Family {
        Kind kind = Kind::Counter;
        std::string help;
        std::map<std::string, Metric*> series;  // by rendered labels
    };
    Metric& series(std::string_view name, std::string_view help, const MetricLabels& labels, Kind kind);
    static void write_family(const std::string& name, const Family& family, std::string& out);

    const bool published_names_;
    mutable std::mutex mutex_;
    std::map<std::string, Family, std::less<>> families_;
    std::deque<Metric> metrics_;  // addresses stay
    Metric overflow_;             // where series beyond kSeriesMax go
    Metric* dropped_ = nullptr;
    std::deque<std::function<void()>> refreshers_;
};

// Metrics of the process itself: memory, threads, open files, CPU time, build.
void define_process_metrics(MetricRegistry& registry, std::string_view version);

}  // namespace belfry::telemetry
