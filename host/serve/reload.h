// SPDX-License-Identifier: Apache-2.0
// SIGHUP: reads the configuration again and applies what can change while the server runs: API keys, the log level and
// the sections of providers (as a new generation of the instance, which ProviderGenerations hands to delivery). A
// provider that runs as configured already is left alone: a new generation would forget pauses, pace and tokens. Says
// what could not be applied. Threads: main's. Owner: serve().
#pragma once

#include "api/server.h"
#include "audience/inactive_cleanup.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "config/config.h"
#include "delivery/core.h"
#include "plugins/instances.h"
#include "telemetry/line_log.h"

namespace belfry::serve {

class Reload {
public:
    // Everything lives longer than this object.
    Reload(const config::Config& started_with, plugins::Instances& instances, delivery::Core& core, api::Server& server,
           audience::InactiveCleanup* cleanup, telemetry::LineLog& lines, const Clock& clock, Metrics& metrics)
        : started_with_(started_with),
          instances_(instances),
          core_(core),
          server_(server),
          cleanup_(cleanup),
          lines_(lines),
          log_(lines, "reload"),
          clock_(clock),
          ok_(metrics.gauge("config_reload_ok", "0 if the last SIGHUP could not apply everything, 1 otherwise")),
          time_(metrics.gauge("config_reload_unix_seconds", "When configuration was read last")) {
        ok_.set(1);
        time_.set(static_cast<double>(clock_.unix_ms()) / 1000);
    }
    void run();

private:
    // False: something of it could not be applied, and the log says what.
    bool apply();
    bool apply_keys(config::Config& fresh);
    bool reload_certificate(const config::HttpConfig& fresh);
    bool apply_providers(const config::Config& fresh);
    bool apply_provider(const config::Config& fresh, const config::ComponentConfig& provider);
    bool waits_for_operator(const std::string& provider) const;
    void name_what_needs_a_restart(const config::Config& fresh);

    const config::Config& started_with_;
    plugins::Instances& instances_;
    delivery::Core& core_;
    api::Server& server_;
    audience::InactiveCleanup* const cleanup_;  // null: devices do not age
    telemetry::LineLog& lines_;
    Logger log_;
    const Clock& clock_;
    Metric& ok_;
    Metric& time_;
};

}  // namespace belfry::serve
