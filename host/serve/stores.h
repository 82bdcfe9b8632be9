// SPDX-License-Identifier: Apache-2.0
// Storage and queue of a configuration, started as the server starts them, but nothing else: for `belfry migrate`.
// Threads: main's.
#pragma once

#include <memory>

#include "base/clock.h"
#include "config/config.h"
#include "http/engine.h"
#include "plugins/instances.h"
#include "plugins/loader.h"
#include "serve/plugin_hosts.h"
#include "serve/process.h"
#include "services/engine_calls.h"
#include "services/host_services.h"
#include "telemetry/line_log.h"
#include "telemetry/metric_registry.h"

namespace belfry::serve {

Status start_stores(const config::Config& config, plugins::Instances& instances);

// What both sides of a migration share.
struct Workshop {
    const Clock& clock;
    telemetry::LineLog& lines;
    telemetry::MetricRegistry& metrics;
    http::Engine& engine;
};

class Stores {
public:
    // `data`: the configuration's data_dir, locked by the caller.
    Stores(const config::Config& config, const DataDir& data, const Workshop& shop);
    ~Stores();
    Stores(const Stores&) = delete;
    Stores& operator=(const Stores&) = delete;

    Status start();
    const config::Config& config() const noexcept { return config_; }
    plugins::Storage& storage() { return storage_->storage(); }
    plugins::Queue& queue() { return queue_->queue(); }

private:
    const config::Config& config_;
    services::EngineCalls calls_;
    services::HostServices services_;
    PluginHosts hosts_;
    plugins::Loader loader_;
    plugins::Instances instances_;
    std::shared_ptr<plugins::Generation> storage_, queue_;
};

}  // namespace belfry::serve
