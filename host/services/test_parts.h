// SPDX-License-Identifier: Apache-2.0
// For tests: parts to build HostServices from, that remember what went through them.
#pragma once

#include <stdlib.h>

#include <deque>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "services/host_services.h"

namespace belfry::services {

class RecordingLog final : public Log {
public:
    struct Line {
        LogLevel level;
        std::string source, event, fields;  // fields as "a=1 b=2"
    };
    bool enabled(LogLevel level) const noexcept override { return level >= threshold; }
    void write(LogLevel level, std::string_view source, std::string_view event,
               std::initializer_list<LogField> fields) noexcept override {
        write(level, source, event, fields.begin(), fields.size());
    }
    void write(LogLevel level, std::string_view source, std::string_view event, const LogField* fields,
               size_t n) noexcept override {
        Line line{level, std::string(source), std::string(event), ""};
        for (size_t i = 0; i < n; ++i)
            line.fields += (i == 0 ? "" : " ") + std::string(fields[i].name) + "=" + fields[i].value;
        lines.push_back(std::move(line));
    }
    LogLevel threshold = LogLevel::Debug;
    std::vector<Line> lines;
};

class RecordingMetrics final : public Metrics {
public:
    Metric& counter(std::string_view name, std::string_view, const MetricLabels& labels) override {
        return of("counter", name, labels);
    }
    Metric& gauge(std::string_view name, std::string_view, const MetricLabels& labels) override {
        return of("gauge", name, labels);
    }
    std::map<std::string, Metric> series;  // by "counter name{label=value}"

private:
    Metric& of(const char* kind, std::string_view name, const MetricLabels& labels) {
        std::string key = std::string(kind) + " " + std::string(name);
        for (const auto& [label, value] : labels) key += "{" + label + "=" + value + "}";
        return series[key];
    }
};

// Answers calls in order from `answers`; remembers what was asked.
class ScriptedHttp final : public HttpCalls {
public:
    struct Asked {
        http::EndpointId endpoint;
        http::CallRequest request;
        int64_t deadline_mono_ns;
    };
    Result<http::EndpointId> add_endpoint(const http::EndpointConfig& endpoint) override {
        if (endpoint.url.rfind("https://", 0) != 0)
            return error(ErrorCode::InvalidArgument, "must begin with https://", "url");
        endpoints.push_back(endpoint);
        return static_cast<http::EndpointId>(endpoints.size() - 1);
    }
    Result<http::CallAnswer> call(http::EndpointId endpoint, const http::CallRequest& request,
                                  int64_t deadline_mono_ns) override {
        asked.push_back({endpoint, request, deadline_mono_ns});
        if (answers.empty()) return error(ErrorCode::Unavailable, "connection refused");
        auto next = std::move(answers.front());
        answers.pop_front();
        return next;
    }
    std::vector<http::EndpointConfig> endpoints;
    std::vector<Asked> asked;
    std::deque<Result<http::CallAnswer>> answers;
};

class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "belfry-test-XXXXXX").string();
        path_ = ::mkdtemp(pattern.data());
    }
    ~TemporaryFolder() { std::filesystem::remove_all(path_); }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

// One instance "fcm-shop" of the plugin "fcm" on recording parts.
struct TestHost {
    explicit TestHost(InstanceSettings settings = {"fcm-shop", "fcm", "", 0, {}, false})
        : instance(services.make(std::move(settings))) {}

    const belfry_host* abi() const { return instance->abi(); }
    template <class Table>
    const Table& service(std::string_view id) const {
        return *static_cast<const Table*>(abi()->service(abi(), belfry_str{id.data(), id.size()}));
    }

    RecordingLog log;
    RecordingMetrics metrics;
    ManualClock clock;
    ScriptedHttp http;
    TemporaryFolder folder;
    HostServices services{Parts{log, metrics, clock, http, folder.path() / "state"}};
    std::unique_ptr<InstanceHost> instance;
};

}  // namespace belfry::services
