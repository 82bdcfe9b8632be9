// SPDX-License-Identifier: Apache-2.0
// Where plugins meet services: gives each plugin instance its belfry_host. For the server and for the probe.
// Threads: [control].
#pragma once

#include <memory>
#include <utility>

#include "plugins/host_factory.h"
#include "services/host_services.h"

namespace belfry::serve {

class PluginHosts final : public plugins::HostFactory {
public:
    explicit PluginHosts(services::HostServices& services) : services_(services) {}

    std::unique_ptr<plugins::InstanceHost> make(plugins::HostRequest request) override {
        services::InstanceSettings settings;
        settings.name = std::move(request.instance);
        settings.plugin = std::move(request.plugin);
        settings.ca_file = std::move(request.settings.ca_file);
        settings.plain_loopback = request.settings.plain_loopback;
        const auto& proxy = request.settings.proxy;
        settings.proxy = {proxy.url, proxy.user, proxy.password, proxy.looks_up};
        settings.connections_max = static_cast<uint32_t>(request.settings.connections_max);
        settings.read_secret = std::move(request.read_secret);
        settings.log_only = request.log_only;
        return std::make_unique<Served>(services_.make(std::move(settings)));
    }

private:
    class Served final : public plugins::InstanceHost {
    public:
        explicit Served(std::unique_ptr<services::InstanceHost> host) : host_(std::move(host)) {}
        const belfry_host* abi() const noexcept override { return host_->abi(); }
        void started() noexcept override { host_->started(); }
        plugins::HostFacts facts() const override {
            services::SeenCredentials seen = host_->seen_credentials();
            return {seen.certificate_until_unix_ms, seen.clock_skew_ms, seen.clock_seen_mono_ns,
                    std::move(seen.warnings)};
        }

    private:
        const std::unique_ptr<services::InstanceHost> host_;
    };

    services::HostServices& services_;
};

}  // namespace belfry::serve
