// SPDX-License-Identifier: Apache-2.0
// A host for plugin instances that come into being and do nothing else: no log, no metrics, no network, no state. For
// the probe and for `belfry plugin list`. Threads: [control].
#pragma once

#include <map>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "serve/plugin_hosts.h"
#include "services/host_services.h"

namespace belfry::serve {

class SilentLog final : public Log {
public:
    bool enabled(LogLevel) const noexcept override { return false; }
    void write(LogLevel, std::string_view, std::string_view, std::initializer_list<LogField>) noexcept override {}
    void write(LogLevel, std::string_view, std::string_view, const LogField*, size_t) noexcept override {}
};

class UnseenMetrics final : public Metrics {
public:
    Metric& counter(std::string_view name, std::string_view, const MetricLabels&) override { return of(name); }
    Metric& gauge(std::string_view name, std::string_view, const MetricLabels&) override { return of(name); }

private:
    Metric& of(std::string_view name) { return series_[std::string(name)]; }
    std::map<std::string, Metric> series_;
};

// create does no I/O; a plugin that tries is told so.
class NoHttp final : public services::HttpCalls {
public:
    Result<http::EndpointId> add_endpoint(const http::EndpointConfig&) override { return refusal(); }
    Result<http::CallAnswer> call(http::EndpointId, const http::CallRequest&, int64_t) override { return refusal(); }

private:
    static Error refusal() { return error(ErrorCode::Unavailable, "create has no network; use it in start"); }
};

class IdleHost {
public:
    plugins::HostFactory& hosts() { return hosts_; }
    Log& log() { return log_; }

private:
    SilentLog log_;
    UnseenMetrics metrics_;
    SystemClock clock_;
    NoHttp http_;
    services::HostServices services_{{log_, metrics_, clock_, http_, "/nonexistent/belfry-idle-host"}};
    PluginHosts hosts_{services_};
};

}  // namespace belfry::serve
