// SPDX-License-Identifier: Apache-2.0
// The host as plugin instances see it, made elsewhere (services/); main brings the two together.
// Threads: make [control]; objects as tagged in plugin_api/include/belfry/services.h.
#pragma once

#include <belfry/plugin.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "plugins/manifest.h"

namespace belfry::plugins {

// Keys of a section that are the host's; the plugin never sees them.
struct HostSettings {
    int64_t per_minute = 0;       // rate.per_minute; 0: what the plugin suggests
    int64_t connections_max = 0;  // max_connections; 0: the engine's default
    std::string ca_file;          // absolute; empty: the system's roots
    bool plain_loopback = false;  // http:// will do, on this machine
    struct Proxy {
        std::string url, user, password;
        bool looks_up = false;
    } proxy;                // of a provider; without url: none
    bool critical = false;  // without this instance the host must not serve
};

struct HostRequest {
    std::string instance;  // its name, for logs, metrics and state
    std::string plugin;    // the plugin's id
    Kind kind = Kind::Provider;
    HostSettings settings;
    // The bytes of a secret by the id in the configuration; answers NotFound once start is over.
    std::function<Result<std::string>(std::string_view id)> read_secret;
    bool log_only = false;  // the reduced host of the entry function: belfry.log/1 and nothing else
};

// What the host saw of an instance's credentials while it served it.
struct HostFacts {
    int64_t certificate_until_unix_ms = 0;  // of the client certificate it read; 0: none
    int64_t clock_skew_ms = 0;              // this machine's clock minus the peer's, at its last own call
    int64_t clock_seen_mono_ns = 0;         // when; 0: never
    std::vector<std::string> warnings;      // that it wrote to the log before it was started
};

class InstanceHost {
public:
    virtual ~InstanceHost() = default;
    // [control] The instance's start has succeeded.
    virtual void started() noexcept {}
    // [any]
    virtual HostFacts facts() const { return {}; }
    // Stays the same until the object is gone.
    virtual const belfry_host* abi() const noexcept = 0;
};

class HostFactory {
public:
    virtual ~HostFactory() = default;
    virtual std::unique_ptr<InstanceHost> make(HostRequest request) = 0;
};

}  // namespace belfry::plugins
