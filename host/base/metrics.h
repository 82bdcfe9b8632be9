// SPDX-License-Identifier: Apache-2.0
// Counters and gauges as modules see them; telemetry/ keeps and exposes them.
// Threads: define at start-up, record from [any] without locks.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace belfry {

// One time series. Lives as long as the Metrics that made it.
class Metric {
public:
    void add(double by = 1) noexcept { value_.fetch_add(by, std::memory_order_relaxed); }
    void set(double to) noexcept { value_.store(to, std::memory_order_relaxed); }
    double get() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<double> value_{0};
};

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

class Metrics {
public:
    virtual ~Metrics() = default;
    // The series of (name, labels), made on first use. Names without prefix and in base units: "pushes_accepted_total",
    // "queue_lag_seconds".
    virtual Metric& counter(std::string_view name, std::string_view help, const MetricLabels& labels = {}) = 0;
    virtual Metric& gauge(std::string_view name, std::string_view help, const MetricLabels& labels = {}) = 0;
};

}  // namespace belfry
