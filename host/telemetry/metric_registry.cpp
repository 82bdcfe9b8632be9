// SPDX-License-Identifier: Apache-2.0
#include "telemetry/metric_registry.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace belfry::telemetry {
namespace {

// Source: Centrifugo PRO, "Observability enhancements", metrics of the push notification API.
constexpr std::array<std::string_view, 4> kPublishedNames = {
    "push_notification_count", "push_queue_consuming_lag", "push_consuming_inflight_jobs", "push_job_duration_seconds"};

void append_number(double value, std::string& out) {
    if (std::isnan(value)) {
        out += "NaN";
    } else if (std::isinf(value)) {
        out += value > 0 ? "+Inf" : "-Inf";
    } else {
        std::array<char, 64> text{};
        // Counts stay readable as integers; everything else is the shortest text that reads back the same.
        const bool integral = value == std::floor(value) && std::fabs(value) < 1e15;
        const auto end = integral
                             ? std::to_chars(text.data(), text.data() + text.size(), static_cast<int64_t>(value)).ptr
                             : std::to_chars(text.data(), text.data() + text.size(), value).ptr;
        out.append(text.data(), end);
    }
}

void append_label_value(std::string_view value, std::string& out) {
    for (const char c : value) {
        if (c == '\\' || c == '"') out += '\\';
        if (c == '\n') {
            out += "\\n";
        } else {
            out += c;
        }
    }
}

std::string render(MetricLabels labels) {
    if (labels.empty()) return {};
    std::sort(labels.begin(), labels.end());
    std::string out = "{";
    for (const auto& [name, value] : labels) {
        if (out.size() > 1) out += ',';
        out += name;
        out += "=\"";
        append_label_value(value, out);
        out += '"';
    }
    return out + "}";
}

// HELP allows quotes but not line ends.
void append_help(std::string_view help, std::string& out) {
    for (const char c : help) {
        if (c == '\\') {
            out += "\\\\";
        } else if (c == '\n') {
            out += "\\n";
        } else {
            out += c;
        }
    }
}

}  // namespace

MetricRegistry::MetricRegistry(bool published_names) : published_names_(published_names) {
    dropped_ = &gauge("metric_series_dropped", "Requests for a series beyond the bound of its family");
}

Metric& MetricRegistry::counter(std::string_view name, std::string_view help, const MetricLabels& labels) {
    return series(name, help, labels, Kind::Counter);
}

Metric& MetricRegistry::gauge(std::string_view name, std::string_view help, const MetricLabels& labels) {
    return series(name, help, labels, Kind::Gauge);
}

Metric& MetricRegistry::series(std::string_view name, std::string_view help, const MetricLabels& labels, Kind kind) {
    std::string key = render(labels);
    const std::lock_guard lock(mutex_);
    auto it = families_.find(name);
    if (it == families_.end()) it = families_.emplace(std::string(name), Family{kind, std::string(help), {}}).first;
    Family& family = it->second;
    const auto known = family.series.find(key);
    if (known != family.series.end()) return *known->second;
    if (family.series.size() >= kSeriesMax) {
        dropped_->add();
        return overflow_;
    }
    Metric& made = metrics_.emplace_back();
    family.series.emplace(std::move(key), &made);
    return made;
}

void MetricRegistry::before_exposition(std::function<void()> refresh) {
    const std::lock_guard lock(mutex_);
    refreshers_.push_back(std::move(refresh));
}

void MetricRegistry::write_family(const std::string& name, const Family& family, std::string& out) {
    out += "# HELP " + name + " ";
    append_help(family.help, out);
    out += "\n# TYPE " + name + (family.kind == Kind::Counter ? " counter\n" : " gauge\n");
    for (const auto& [labels, metric] : family.series) {
        out += name;
        out += labels;
        out += ' ';
        append_number(metric->get(), out);
        out += '\n';
    }
}

std::string MetricRegistry::exposition() const {
    // Refreshers only set atomics; they run without the lock, so they may define series. The list never shrinks.
    size_t n = 0;
    {
        const std::lock_guard lock(mutex_);
        n = refreshers_.size();
    }
    for (size_t i = 0; i < n; ++i) refreshers_[i]();
    const std::lock_guard lock(mutex_);
    std::string out;
    out.reserve(families_.size() * 256);
    for (const auto& [name, family] : families_) {
        if (std::find(kPublishedNames.begin(), kPublishedNames.end(), name) == kPublishedNames.end()) {
            write_family("belfry_" + name, family, out);
        } else if (published_names_) {
            write_family("centrifugo_" + name, family, out);
        }
    }
    return out;
}

}  // namespace belfry::telemetry
