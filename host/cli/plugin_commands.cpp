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
    if (plugins.empty()) {
        call.world.err << "belfry: no plugins in plugin_dirs:";
        for (const std::string& folder : config->plugin_dirs) call.world.err << " " << folder;
        call.world.err << "\n";
    }
    for (const PluginRow& row : plugins) {
        if (!row.why.empty()) call.world.out << row.name << ": " << row.why << "\n";
    }
    return kDone;
}

// The words of the check's own program: it is the one that knows cases.
int check(const Call& call) {
    std::vector<std::string> words = call.given.words;
    if (words.empty() && !call.given.has("--list")) return usage_error(call, "needs FILE");
    for (const auto& [name, values] : call.given.options) {
        if (values.empty()) words.push_back(name);
        for (const std::string& value : values) {
            words.push_back(name);
            words.push_back(value);
        }
    }
    const Result<int> code = call.hooks.check_plugin(words);
    return code ? *code : failed(call, code.error());
}

}  // namespace

std::vector<Command> plugin_commands() {
    return {
        {"plugin list",
         "",
         "what plugins there are, and why one is refused",
         with_config_options({{"--json", "", "print the answer as JSON"}}),
         0,
         0,
         list,
         {"belfry plugin list --config /etc/belfry/belfry.toml"}},
        {"plugin check",
         "FILE",
         "whether a plugin keeps the contract: its files, its life and its behaviour",
         {{"--config", "JSON|FILE", "the section to configure it with, as JSON; {dir} stands for a case's own folder"},
          {"--component", "NAME", "only this component of the plugin"},
          {"--case", "NAME", "only these cases; * and ? stand for anything", true},
          {"--list", "", "print the cases and what each means; without FILE those of every kind"},
          {"--token", "TEXT", "a device token that the provider accepts", true},
          {"--payload", "JSON", "a payload that the provider accepts", true},
          {"--seed", "N", "repeat the random choices of an earlier run"},
          {"--scale", "N", "how many times more each case does"},
          {"--trace", "", "print every call between host and plugin on standard error"},
          {"--keep", "", "leave each case's folder where it is"},
          {"--json", "", "print the report as JSON"},
          {"--junit", "FILE", "write the report as JUnit XML, too"}},
         0,
         1,
         check,
         {"belfry plugin check ./acme.so",
          "belfry plugin check ./acme.so --config acme-section.json --junit report.xml",
          "belfry plugin check ./acme.so --case 'contract.*'",
          "belfry plugin check ./acme.so --case S14 --seed 7 --trace"}},
    };
}

}  // namespace belfry::cli
