// SPDX-License-Identifier: Apache-2.0
// One plugin instance's host with all real services, over parts that remember what went through them.
// Threads: used by one at a time.
#pragma once

#include <stdlib.h>

#include <deque>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "fakes/facades.h"
#include "fakes/settable_clock.h"
#include "services/host_services.h"

namespace belfry::fakes {

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

// Answers calls in order from `answers`; remembers what was asked.
class ScriptedHttp final : public services::HttpCalls {
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
    explicit TestHost(services::InstanceSettings settings = {"fcm-shop", "fcm", "", 0, {}, false})
        : instance(services.make(std::move(settings))) {}

    const belfry_host* abi() const { return instance->abi(); }
    template <class Table>
    const Table& service(std::string_view id) const {
        return *static_cast<const Table*>(abi()->service(abi(), belfry_str{id.data(), id.size()}));
    }

    RecordingLog log;
    MemoryMetrics metrics;
    SettableClock clock;
    ScriptedHttp http;
    TemporaryFolder folder;
    services::HostServices services{services::Parts{log, metrics, clock, http, folder.path() / "state"}};
    std::unique_ptr<services::InstanceHost> instance;
};

}  // namespace belfry::fakes
