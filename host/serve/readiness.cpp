// SPDX-License-Identifier: Apache-2.0
#include "serve/readiness.h"

#include <memory>
#include <string>

#include "plugins/generation.h"
#include "plugins/queue.h"

namespace belfry::serve {

namespace {

bool decides(plugins::Kind kind) {
    return kind == plugins::Kind::Storage || kind == plugins::Kind::Queue;
}

std::string detail_of(const delivery::ProviderStatus& provider) {
    std::string detail(name_of(provider.state));
    if (!provider.reason.empty()) detail += ": " + provider.reason;
    if (provider.operator_must_act) detail += " (an operator must act)";
    for (const delivery::PlatformStatus& platform : provider.platforms)
        detail.append("; ").append(platform.name).append(" is refused: ").append(platform.reason);
    for (const delivery::OriginStatus& origin : provider.origins) {
        if (origin.state == delivery::GateState::Open) continue;
        detail.append("; ").append(origin.url).append(" is ").append(name_of(origin.state));
        if (!origin.reason.empty()) detail.append(": ").append(origin.reason);
    }
    if (provider.deletions_stopped) {
        detail += "; deletions are stopped: too many devices look dead at once";
        if (!provider.last_error.empty()) detail.append(" (").append(provider.last_error).append(")");
    }
    for (const std::string& notice : provider.credentials.notices) detail.append("; ").append(notice);
    return detail;
}

// What an operator should know of a store that runs.
std::string detail_of(const plugins::Instances& instances, const plugins::InstanceInfo& store) {
    const plugins::Instance* const instance = instances.find(store.name);
    const std::shared_ptr<plugins::Generation> running = instance != nullptr ? instance->current() : nullptr;
    if (!running) return {};
    std::string detail;
    if (!store.full.empty()) detail += "; disk or quota full, nothing is stored by " + store.full;
    if (store.kind == plugins::Kind::Queue && running->queue().offers(BELFRY_QUEUE_FAILOVER_LOSS))
        detail += "; a failover of its server may lose the latest accepted pushes";
    for (const std::string& warning : running->facts().warnings) detail += "; " + warning;
    return detail;
}

}  // namespace

std::vector<api::ComponentState> component_states(const plugins::Instances& instances, const delivery::Core& core,
                                                  const std::string& left_behind) {
    const std::vector<delivery::ProviderStatus> providers = core.providers();
    std::vector<api::ComponentState> states;
    for (const plugins::InstanceInfo& instance : instances.list()) {
        api::ComponentState state;
        state.name = instance.name;
        state.ready = instance.state == plugins::InstanceState::Running || !decides(instance.kind);
        state.detail = std::string(plugins::name_of(instance.state));
        if (!instance.line.empty()) state.detail += ": " + instance.line;
        if (decides(instance.kind)) state.detail += detail_of(instances, instance);
        for (const delivery::ProviderStatus& provider : providers) {
            if (provider.name != instance.name || instance.kind != plugins::Kind::Provider) continue;
            // Why it does not run stands in the instance's own line.
            if (provider.state != delivery::GateState::NotStarted) state.detail += ", " + detail_of(provider);
        }
        states.push_back(std::move(state));
    }
    if (!left_behind.empty()) states.push_back({"left behind", left_behind, true});
    return states;
}

}  // namespace belfry::serve
