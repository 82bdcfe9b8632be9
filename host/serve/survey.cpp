// SPDX-License-Identifier: Apache-2.0
#include "serve/survey.h"

#include <memory>

#include "serve/component_specs.h"
#include "serve/idle_host.h"

namespace belfry::serve {

namespace {

// A survey makes no instance.
class NoHosts final : public plugins::HostFactory {
public:
    std::unique_ptr<plugins::InstanceHost> make(plugins::HostRequest) override { return nullptr; }
};

}  // namespace

std::vector<plugins::PluginInfo> survey_plugins(const config::Config& config) {
    SilentLog log;
    NoHosts hosts;
    return plugins::Loader(loader_options(config, config.data_dir), hosts, log).list(false);
}

}  // namespace belfry::serve
