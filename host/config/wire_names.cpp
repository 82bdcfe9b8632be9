// SPDX-License-Identifier: Apache-2.0
#include "config/wire_names.h"

#include <algorithm>
#include <set>

#include "config/node.h"

namespace belfry::config {
namespace {

std::vector<std::string> instances_of(const Config& config) {
    std::vector<std::string> names;
    for (const ComponentConfig& provider : config.providers) names.push_back(provider.instance);
    return names;
}

Error unknown_instance(const Config& config, const AppConfig& app, const std::string& wire,
                       const std::string& instance) {
    const std::string close = nearest(instance, instances_of(config));
    std::string what = "apps." + app.name + ".providers." + wire + ": there is no provider instance " + instance;
    what += close.empty() ? "; add [providers." + instance + "]" : ", did you mean " + close + "?";
    return error(ErrorCode::Misconfigured, what, app.origin);
}

Result<std::vector<WireName>> as_written(const Config& config, const AppConfig& app) {
    std::vector<WireName> names;
    std::set<std::string> seen;
    const std::vector<std::string> known = instances_of(config);
    for (const auto& [wire, instance] : app.providers) {
        if (std::find(known.begin(), known.end(), instance) == known.end())
            return unknown_instance(config, app, wire, instance);
        if (!seen.insert(instance).second) {
            return error(ErrorCode::Misconfigured,
                         "apps." + app.name + ".providers: " + instance +
                             " has two wire names; answers need one, remove the other",
                         app.origin);
        }
        names.push_back({wire, instance});
    }
    return names;
}

}  // namespace

Result<std::vector<WireName>> wire_names(const Config& config, const AppConfig& app) {
    if (!app.providers.empty()) return as_written(config, app);
    std::vector<WireName> names;
    std::map<std::string, std::vector<const ComponentConfig*>> by_plugin;
    const std::vector<std::string> known = instances_of(config);
    for (const ComponentConfig& provider : config.providers) by_plugin[provider.plugin].push_back(&provider);
    for (const auto& [plugin, instances] : by_plugin) {
        // Another plugin's instance may bear this plugin's name: then the name is its.
        const bool taken = std::find(known.begin(), known.end(), plugin) != known.end();
        if (!taken && instances.size() > 1) {
            return error(ErrorCode::Misconfigured,
                         "clients of app " + app.name + " that say " + plugin + " could mean " +
                             instances[0]->instance + " or " + instances[1]->instance + "; decide it: [apps." +
                             app.name + "] providers = { " + plugin + " = \"" + instances[0]->instance + "\" }",
                         instances[1]->origin);
        }
        const bool alias = !taken && instances.size() == 1;
        if (alias) names.push_back({plugin, instances[0]->instance});
        for (const ComponentConfig* instance : instances)
            names.push_back({instance->instance, instance->instance, !alias});
    }
    return names;
}

}  // namespace belfry::config
