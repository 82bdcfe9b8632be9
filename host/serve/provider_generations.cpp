// SPDX-License-Identifier: Apache-2.0
#include "serve/provider_generations.h"

#include <memory>
#include <utility>

namespace belfry::serve {

std::vector<delivery::ProviderInstance> ProviderGenerations::at_start() {
    std::vector<delivery::ProviderInstance> providers;
    for (const config::ComponentConfig& configured : config_.providers) {
        const plugins::Instance* instance = instances_.find(configured.instance);
        const std::shared_ptr<plugins::Generation> generation = instance == nullptr ? nullptr : instance->current();
        delivery::ProviderInstance& provider = providers.emplace_back();
        provider.name = configured.instance;
        provider.per_minute = static_cast<uint64_t>(configured.per_minute);
        if (!generation) continue;
        provider.provider = &generation->provider();
        provider.owner = generation;
        known_[configured.instance] = generation->number();
    }
    return providers;
}

void ProviderGenerations::follow(delivery::Core& core) {
    for (const config::ComponentConfig& configured : config_.providers) {
        const plugins::Instance* instance = instances_.find(configured.instance);
        const std::shared_ptr<plugins::Generation> generation = instance == nullptr ? nullptr : instance->current();
        if (!generation) {
            if (instance == nullptr) continue;
            const plugins::InstanceInfo info = instance->info();
            core.not_started(configured.instance, info.line, info.state == plugins::InstanceState::Failed);
            continue;
        }
        core.know(configured.instance, generation->facts());
        if (known_[configured.instance] == generation->number()) continue;
        const auto per_minute = static_cast<uint64_t>(generation->settings().per_minute);
        const Status switched =
            core.switch_provider(configured.instance, generation->provider(), generation, per_minute);
        if (!switched) {
            log_.error("provider runs but is not used",
                       {{"provider", configured.instance}, {"error", switched.error().to_string()}});
            continue;
        }
        known_[configured.instance] = generation->number();
        log_.info("provider in use", {{"provider", configured.instance}, {"generation", generation->number()}});
    }
}

}  // namespace belfry::serve
