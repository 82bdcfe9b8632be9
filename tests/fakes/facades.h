// SPDX-License-Identifier: Apache-2.0
// Log and Metrics for tests: one says nothing, the other remembers.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <string>

#include "base/log.h"
#include "base/metrics.h"

namespace belfry::fakes {

class QuietLog final : public Log {
public:
    bool enabled(LogLevel) const noexcept override { return false; }
    void write(LogLevel, std::string_view, std::string_view, std::initializer_list<LogField>) noexcept override {}
    void write(LogLevel, std::string_view, std::string_view, const LogField*, size_t) noexcept override {}
};

class MemoryMetrics final : public Metrics {
public:
    Metric& counter(std::string_view name, std::string_view, const MetricLabels& labels = {}) override {
        return of(name, labels);
    }
    Metric& gauge(std::string_view name, std::string_view, const MetricLabels& labels = {}) override {
        return of(name, labels);
    }
    double value(std::string_view name, const MetricLabels& labels = {}) { return of(name, labels).get(); }

private:
    Metric& of(std::string_view name, const MetricLabels& labels) {
        std::string key(name);
        for (const auto& [label, value] : labels) key += "," + label + "=" + value;
        const std::lock_guard lock(mutex_);
        return metrics_[key];
    }
    std::mutex mutex_;
    std::map<std::string, Metric> metrics_;
};

}  // namespace belfry::fakes
