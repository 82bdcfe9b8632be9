// SPDX-License-Identifier: Apache-2.0
// belfry-plugin-probe: the process in which a plugin is tried before the host loads it. Wiring only; see
// plugins/probe.h.
#include <map>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "plugins/probe.h"
#include "serve/plugin_hosts.h"
#include "services/host_services.h"

namespace {

class SilentLog final : public belfry::Log {
public:
    bool enabled(belfry::LogLevel) const noexcept override { return false; }
    void write(belfry::LogLevel, std::string_view, std::string_view,
               std::initializer_list<belfry::LogField>) noexcept override {}
    void write(belfry::LogLevel, std::string_view, std::string_view, const belfry::LogField*,
               size_t) noexcept override {}
};

class UnseenMetrics final : public belfry::Metrics {
public:
    belfry::Metric& counter(std::string_view name, std::string_view, const belfry::MetricLabels&) override {
        return of(name);
    }
    belfry::Metric& gauge(std::string_view name, std::string_view, const belfry::MetricLabels&) override {
        return of(name);
    }

private:
    belfry::Metric& of(std::string_view name) { return series_[std::string(name)]; }
    std::map<std::string, belfry::Metric> series_;
};

// create does no I/O; a plugin that tries is told so.
class NoHttp final : public belfry::services::HttpCalls {
public:
    belfry::Result<belfry::http::EndpointId> add_endpoint(const belfry::http::EndpointConfig&) override {
        return refusal();
    }
    belfry::Result<belfry::http::CallAnswer> call(belfry::http::EndpointId, const belfry::http::CallRequest&,
                                                  int64_t) override {
        return refusal();
    }

private:
    static belfry::Error refusal() {
        return belfry::error(belfry::ErrorCode::Unavailable, "there is no network in the probe; use it in start");
    }
};

}  // namespace

int main(int argc, char** argv) {
    SilentLog log;
    UnseenMetrics metrics;
    belfry::SystemClock clock;
    NoHttp http;
    belfry::services::HostServices services({log, metrics, clock, http, "/nonexistent/belfry-probe"});
    belfry::serve::PluginHosts hosts(services);
    return belfry::plugins::run_probe_child(argc, argv, hosts);
}
