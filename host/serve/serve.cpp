// SPDX-License-Identifier: Apache-2.0
// The program reads off serve(): engine, services, plugins, devices, delivery, API. It stops in the reverse order:
// first the API (who was answered keeps what was promised), then delivery, then plugins, then the engine.
#include "serve/serve.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "api/server.h"
#include "audience/inactive_cleanup.h"
#include "audience/registry.h"
#include "base/clock.h"
#include "delivery/core.h"
#include "http/engine.h"
#include "plugins/channel_desk.h"
#include "plugins/instances.h"
#include "plugins/loader.h"
#include "serve/backup.h"
#include "serve/component_specs.h"
#include "serve/live_metrics.h"
#include "serve/meeting_points.h"
#include "serve/moved.h"
#include "serve/plugin_hosts.h"
#include "serve/process.h"
#include "serve/provider_generations.h"
#include "serve/readiness.h"
#include "serve/reload.h"
#include "serve/stores.h"
#include "serve/version.h"
#include "services/engine_calls.h"
#include "telemetry/line_log.h"
#include "telemetry/metric_registry.h"

namespace belfry::serve {

namespace {

constexpr int64_t kProviderStartMs = 3'000;  // a provider that needs longer goes on in the background
constexpr int64_t kRequestsEndMs = 5'000;    // requests in work when the server is told to stop
constexpr int64_t kAnswersEndMs = 1'000;     // the engine's share, after delivery has waited for its answers
constexpr int64_t kInstancesEndMs = 5'000;

// Only now, since what they keep for the cluster lies in the storage. Storage and queue must run; a provider that does
// not is shown by /health, and its work waits.
Status start_providers(const config::Config& config, plugins::Instances& instances) {
    for (const config::ComponentConfig& provider : config.providers) {
        if (stop_is_pending()) break;
        const plugins::Patience patience{kProviderStartMs, false, stop_is_pending};
        const Status s = instances.add(spec_of(config, provider, plugins::Kind::Provider), patience);
        if (!s && !provider.implied) return s;
    }
    return {};
}

delivery::Options delivery_options(const config::Config& config) {
    delivery::Options options;
    const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
    options.workers = config.delivery.workers > 0 ? static_cast<unsigned>(config.delivery.workers) : cores;
    options.attempts.attempts_max = static_cast<uint32_t>(config.delivery.attempts_max);
    options.attempts.base_ms = config.delivery.retry_base_ms;
    options.attempts.cap_ms = config.delivery.retry_max_ms;
    return options;
}

// Nothing unless it is configured. A storage that cannot do it is named here once; everything else works.
std::unique_ptr<audience::InactiveCleanup> start_cleanup(const config::Config& config, plugins::Storage& storage,
                                                         const Clock& clock, Log& lines, Metrics& metrics) {
    if (config.devices.max_inactive_days == 0) return nullptr;
    if (!storage.offers(BELFRY_STORAGE_EXPIRE)) {
        Logger(lines, "serve")
            .warning("devices.max_inactive_days has no effect",
                     {{"reason", "the plugin of [storage] cannot remove inactive devices"}});
        return nullptr;
    }
    auto cleanup = std::make_unique<audience::InactiveCleanup>(
        app_names(config), std::chrono::hours(24) * config.devices.max_inactive_days, storage, clock, lines, metrics);
    cleanup->start();
    return cleanup;
}

// Scope "cluster" of plugins' state, for as long as the storage runs.
class LentState {
public:
    LentState(services::HostServices& services, services::ClusterState& state) : services_(services) {
        services_.set_cluster_state(&state);
    }
    ~LentState() { services_.set_cluster_state(nullptr); }
    LentState(const LentState&) = delete;
    LentState& operator=(const LentState&) = delete;

private:
    services::HostServices& services_;
};

// Everything that outlives the storage's and the queue's instances.
struct Ground {
    const config::Config& config;
    const DataDir& data;
    http::Engine& engine;
    services::HostServices& services;
    plugins::Loader& loader;
    plugins::Instances& instances;
    const Clock& clock;
    telemetry::LineLog& lines;
    telemetry::MetricRegistry& metrics;
};

// Devices, delivery and the API on running instances, until the server is told to stop.
Status serve_on(const Ground& ground, api::Keys keys) {
    const config::Config& config = ground.config;
    Logger log(ground.lines, "serve");
    const std::shared_ptr<plugins::Generation> storage = ground.instances.find(config.storage.instance)->current();
    const std::shared_ptr<plugins::Generation> queue = ground.instances.find(config.queue.instance)->current();
    if (Status here = refuse_if_moved(storage->storage()); !here) return here;
    if (Status here = refuse_left_queue(config, storage->storage(), queue->queue()); !here) return here;
    const StoreMemory memory(config, ground.data.path().string());
    const std::string left_behind = memory.compare(storage->storage(), queue->queue());
    if (!left_behind.empty()) log.warning("stores were left behind", {{"reason", left_behind}});
    StorageState cluster(storage->storage());
    const LentState lent(ground.services, cluster);
    if (Status started = start_providers(config, ground.instances); !started) return started;
    if (stop_is_pending()) return {};
    if (const size_t stale = ground.loader.remove_stale_copies(); stale > 0)
        log.info("old private copies of plugins removed", {{"files", stale}});

    ProviderTokens tokens(ground.instances);
    audience::Registry devices(storage->storage(), tokens, ground.lines, ground.metrics);
    const std::unique_ptr<delivery::Sender> sender = delivery::engine_sender(ground.engine);
    ProviderGenerations generations(config, ground.instances, ground.lines);
    Result<std::unique_ptr<delivery::Core>> core =
        delivery::make(delivery_options(config), storage->storage(), queue->queue(), generations.at_start(), *sender,
                       ground.clock, ground.lines, ground.metrics);
    if (!core) return core.error();
    MoveWatch moves(storage->storage());
    if (Status started = (*core)->start([&] { return moves.look(); }); !started) return started;
    generations.follow(**core);

    const std::unique_ptr<audience::InactiveCleanup> cleanup =
        start_cleanup(config, storage->storage(), ground.clock, ground.lines, ground.metrics);

    const api::Insight insight{[&] { return ground.metrics.exposition(); },
                               [&] { return component_states(ground.instances, **core, left_behind); }, kVersion};
    define_live_metrics(ground.metrics, **core, ground.clock);
    plugins::ChannelDesk channels(ground.instances, ground.clock);
    BackupMaker backups(queue->queue(), storage->storage(), config, ground.lines);
    if (const size_t drafts = backups.remove_stale_drafts(); drafts > 0)
        log.info("unfinished backups removed", {{"folders", drafts}});
    api::ServerOptions options = server_options(config, std::move(keys));
    options.back_up = [&](const std::string& name) { return backups.make(name); };
    Result<std::unique_ptr<api::Server>> server =
        api::Server::start(options, **core, devices, channels, insight, ground.clock, ground.lines, ground.metrics);
    Status outcome;
    if (server) {
        outcome = ground.data.publish_address((*server)->address());
        log.info("serving", {{"address", (*server)->address()}, {"version", kVersion}, {"data_dir", config.data_dir}});
        Reload reload(config, ground.instances, **core, **server, cleanup.get(), ground.lines, ground.clock,
                      ground.metrics);
        wait_for_stop([&] { reload.run(); },
                      [&] {
                          generations.follow(**core);
                          return !moves.refusal();
                      });
        if (const std::optional<Error> refusal = moves.refusal()) outcome = *refusal;
        let_signals_kill();
        log.info("stopping", {{"hint", "a second signal skips the wait"}});
        (*server)->announce_stop();
        backups.stop();
        (*server)->stop(ground.clock.mono_ns() + kRequestsEndMs * kNsPerMs);
        (void)ground.data.publish_address("");
    } else {
        outcome = server.error();
    }
    if (cleanup) cleanup->stop();
    devices.stop();
    (*core)->stop();
    if (left_behind.empty()) memory.remember(has_devices(config, storage->storage()), has_work(queue->queue()));
    ground.engine.stop(ground.clock.mono_ns() + kAnswersEndMs * kNsPerMs);
    return outcome;
}

Status run(const config::Config& config, telemetry::LineLog& lines, const Clock& clock) {
    Logger log(lines, "serve");
    telemetry::MetricRegistry metrics(config.metrics.published_names);
    telemetry::define_process_metrics(metrics, kVersion);
    Result<api::Keys> keys = api_keys(config);
    if (!keys) return keys.error();
    Result<DataDir> data = DataDir::open(config.data_dir);
    if (!data) return data.error();
    raise_file_limit(log);

    http::EngineOptions engine_options;
    engine_options.loops = std::max(1U, std::thread::hardware_concurrency() / 2);
    Result<std::unique_ptr<http::Engine>> engine = http::Engine::create(engine_options, clock, lines, metrics);
    if (!engine) return engine.error();

    Result<plugins::CrashRecord> crashes = plugins::CrashRecord::open((data->path() / "plugin-crashes").string());
    if (!crashes) return crashes.error();
    crashes->watch();
    services::EngineCalls calls(**engine);
    services::HostServices services({lines, metrics, clock, calls, data->path() / "state"});
    PluginHosts hosts(services);
    plugins::Loader loader(loader_options(config, data->path().string()), hosts, lines);
    plugins::Instances instances(loader, hosts, lines, clock);
    instances.respect(*crashes);
    Status outcome = start_stores(config, instances);
    if (outcome) {
        outcome =
            serve_on({config, *data, **engine, services, loader, instances, clock, lines, metrics}, std::move(*keys));
    }
    if (stop_is_pending() && instances.any_in_start()) {
        // Its thread uses all of the above. What it has not committed is not there at the next start.
        log.info("stopped in the middle of a start, which begins anew");
        std::_Exit(0);
    }
    instances.stop(kInstancesEndMs);
    log.info("stopped");
    const bool given_up = !outcome && outcome.error().code == ErrorCode::Cancelled && stop_is_pending();
    return given_up ? Status() : outcome;
}

}  // namespace

int serve(config::Config config) {
    block_signals();
    const SystemClock clock;
    telemetry::LineLog lines(STDERR_FILENO, telemetry::log_level_of(config.log.level).value_or(LogLevel::Info), clock);
    if (config::wants_embedded_key(config)) {
        const Result<config::EmbeddedKey> key = config::add_embedded_key(config);
        if (!key) {
            std::fprintf(stderr, "belfry: %s\n", key.error().to_string().c_str());
            return 1;
        }
        std::fprintf(stderr, "belfry: no configuration file: embedded mode; the API key is in %s\n", key->file.c_str());
    }
    const Status outcome = run(config, lines, clock);
    if (!outcome) std::fprintf(stderr, "belfry: %s\n", outcome.error().to_string().c_str());
    return outcome ? 0 : 1;
}

}  // namespace belfry::serve
