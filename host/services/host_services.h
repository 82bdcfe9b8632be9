// SPDX-License-Identifier: Apache-2.0
// What the host offers to plugins: builds the belfry_host that one plugin instance sees, with every service of
// services.h behind it.
//
// A service call is a C function that finds its InstanceHost from the belfry_host pointer, does the work through the
// host's own interfaces, and never lets an exception out. Everything a service says outside carries the instance's
// name. Threads: HostServices [control]; what a plugin may call from where is tagged in services.h. Owner: main. Ends:
// after every instance it was made for. Not here: loading plugins (plugins/), reading secrets (handed in as a
// function), limits on deliveries.
#pragma once

#include <belfry/plugin.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"
#include "services/http_calls.h"
#include "services/state.h"

namespace belfry::services {

// Bounds of one instance.
inline constexpr size_t kInstanceMetricsMax = 64;
inline constexpr size_t kInstanceEndpointsMax = 64;
inline constexpr size_t kInstanceWarningsMax = 8;  // of its start, remembered

// The bytes of a secret by the id that stands in the instance's configuration.
using SecretReader = std::function<Result<std::string>(std::string_view id)>;

// What the host, not the plugin, knows about an instance.
struct InstanceSettings {
    std::string name;              // of the instance: "fcm-shop"
    std::string plugin;            // id of the plugin: "fcm"
    std::string ca_file;           // PEM bundle for its endpoints; empty: the system's roots
    uint32_t connections_max = 0;  // per endpoint and loop; 0: what the plugin asks for
    SecretReader read_secret;      // empty: it has no secrets
    bool log_only = false;         // the reduced host of belfry_plugin_main
    http::Proxy proxy = {};        // for its endpoints; without url: none
    bool plain_loopback = false;   // http:// will do, on this machine
};

// The process-wide parts that services stand on.
struct Parts {
    Log& log;
    Metrics& metrics;
    const Clock& clock;
    HttpCalls& http;
    std::filesystem::path state_dir;  // data_dir/state
};

class InstanceHost;

class HostServices {
public:
    explicit HostServices(Parts parts);

    // The host as one instance sees it. It must outlive the instance.
    std::unique_ptr<InstanceHost> make(InstanceSettings settings);
    // Where scope CLUSTER of belfry.state/1 is kept, once the storage is up; null takes it away. Not owned.
    void set_cluster_state(ClusterState* state) noexcept { cluster_.store(state); }

private:
    friend class InstanceHost;
    const Parts parts_;
    NodeState node_;
    std::atomic<ClusterState*> cluster_{nullptr};
};

// What an instance's calls tell about its credentials.
struct SeenCredentials {
    int64_t certificate_until_unix_ms = 0;  // of the last client identity it read; 0: none
    int64_t clock_skew_ms = 0;              // this machine's clock minus the peer's, by the Date of its last call
    int64_t clock_seen_mono_ns = 0;         // 0: never
    std::vector<std::string> warnings;      // of its start
};

class InstanceHost {
public:
    InstanceHost(HostServices& services, InstanceSettings settings);
    InstanceHost(const InstanceHost&) = delete;
    InstanceHost& operator=(const InstanceHost&) = delete;

    const belfry_host* abi() const noexcept { return &handle_.abi; }
    // The InstanceHost behind a belfry_host that abi() gave out.
    static InstanceHost& of(const belfry_host* host) noexcept;

    const InstanceSettings& settings() const noexcept { return settings_; }
    const std::string& log_source() const noexcept { return log_source_; }
    Log& log() const noexcept { return services_.parts_.log; }
    const Clock& clock() const noexcept { return services_.parts_.clock; }
    HttpCalls& http() const noexcept { return services_.parts_.http; }
    NodeState& node_state() const noexcept { return services_.node_; }
    ClusterState* cluster_state() const noexcept { return services_.cluster_.load(); }

    // A handle, or -1 if the name is not [a-z_]+ or kInstanceMetricsMax are defined. The same name and kind give the
    // same handle.
    int32_t define_metric(bool gauge, std::string_view name, std::string_view help);
    void record(int32_t handle, double value) noexcept;

    // [any] What seen_credentials tells later.
    void saw_certificate(int64_t not_after_unix_ms);
    void saw_date(int64_t date_unix_ms);
    void saw_warning(std::string_view event, const LogField* fields, size_t n);
    void started() noexcept { started_.store(true, std::memory_order_relaxed); }
    SeenCredentials seen_credentials() const;

    Result<http::EndpointId> add_endpoint(http::EndpointConfig endpoint);
    // Whether this instance declared the endpoint: plans and calls may use no other.
    bool owns_endpoint(http::EndpointId id) const;

private:
    struct Handle {
        belfry_host abi;  // first, so that the address of one is the address of the other
        InstanceHost* self;
    };
    struct DefinedMetric {
        std::string name;
        bool gauge = false;
        Metric* metric = nullptr;
    };

    HostServices& services_;
    const InstanceSettings settings_;
    const std::string log_source_;
    Handle handle_;
    std::atomic<bool> started_{false};
    mutable std::mutex mutex_;  // endpoints_, seen_ and defining metrics
    SeenCredentials seen_;
    std::vector<http::EndpointId> endpoints_;
    std::array<DefinedMetric, kInstanceMetricsMax> metrics_;
    std::atomic<uint32_t> metrics_n_{0};  // entries below it are complete and never change
};

}  // namespace belfry::services
