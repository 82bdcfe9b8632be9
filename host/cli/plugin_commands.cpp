// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/command.h"
#include "cli/output.h"

namespace belfry::cli {
namespace {

int list(const Call& call) {
    const Result<config::Config> config = config::load(load_args(call, false));
    if (!config) return failed_as_it_stands(call, config.error());
    const std::vector<PluginRow> plugins = call.hooks.list_plugins(*config);
    if (call.given.has("--json")) {
        nlohmann::json all = nlohmann::json::array();
        for (const PluginRow& row : plugins) {
            all.push_back({{"name", row.name},
                           {"version", row.version},
                           {"state", row.state},
                           {"components", row.components},
                           {"file", row.file},
                           {"why", row.why}});
        }
        print_json(all, call.world);
        return kDone;
    }
    std::vector<std::vector<std::string>> rows = {{"PLUGIN", "VERSION", "STATE", "COMPONENTS", "FILE"}};
    for (const PluginRow& row : plugins) rows.push_back({row.name, row.version, row.state, row.components, row.file});
    print_table(rows, call.world);
    for (const PluginRow& row : plugins) {
        if (!row.why.empty()) call.world.out << row.name << ": " << row.why << "\n";
    }
    return kDone;
}

}  // namespace

Command plugin_command() {
    return {"plugin list",
            "",
            "what plugins there are, and why one is refused",
            with_config_options({{"--json", "", "print the answer as JSON"}}),
            0,
            0,
            list,
            {"belfry plugin list --config /etc/belfry/belfry.toml"}};
}

}  // namespace belfry::cli
