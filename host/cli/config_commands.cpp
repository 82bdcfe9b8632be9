// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/command.h"
#include "cli/output.h"
#include "config/findings.h"

namespace belfry::cli {
namespace {

using Json = nlohmann::json;

int check(const Call& call) {
    std::vector<std::string> findings;
    const std::optional<config::Config> config = config::load_and_list(load_args(call, true), findings);
    if (config) {
        for (std::string& finding : call.hooks.check(*config)) findings.push_back(std::move(finding));
    }
    if (call.given.has("--json")) {
        print_json({{"good", findings.empty()}, {"findings", findings}}, call.world);
    } else {
        for (const std::string& finding : findings) call.world.err << finding << "\n";
    }
    if (!findings.empty()) return kFailed;
    if (call.given.has("--json")) return kDone;
    call.world.out << (config->file.empty() ? "no configuration file: embedded mode" : config->file) << ": good; "
                   << config->providers.size() << (config->providers.size() == 1 ? " provider, " : " providers, ")
                   << config->apps.size() << (config->apps.size() == 1 ? " app\n" : " apps\n");
    return kDone;
}

std::string range_of(const Json& key) {
    std::string text = key.value("type", "");
    if (key.value("format", "") == "secret") text = "secret";
    if (key.value("format", "") == "path") text = "path";
    const std::vector<std::string> choices = key.value("enum", std::vector<std::string>());
    if (!choices.empty()) text.clear();
    for (const std::string& choice : choices) text += (text.empty() ? "`" : ", `") + choice + "`";
    const bool above = key.contains("minimum"), below = key.contains("maximum");
    if (above) text += (below ? ", " : ", at least ") + key["minimum"].dump();
    if (below) text += (above ? " to " : ", at most ") + key["maximum"].dump();
    return text;
}

// The section of one component, in the words of its own schema.
void write_section(const PluginRow::Schema& schema, std::ostream& out) {
    const Json document = Json::parse(schema.json, nullptr, false);
    if (!document.is_object()) return;
    const bool named = schema.kind == "provider" || schema.kind == "sink";
    out << "\n## `[" << (named ? schema.kind + "s.<name>" : schema.kind) << "]` with `plugin = \"" << schema.component
        << "\"`\n";
    const std::string title = document.value("title", document.value("description", ""));
    if (!title.empty()) out << title << "\n";
    out << "\n| key | values | default | meaning |\n|---|---|---|---|\n";
    const std::vector<std::string> required = document.value("required", std::vector<std::string>());
    const Json properties = document.value("properties", Json::object());
    for (const auto& [name, key] : properties.items()) {
        const bool must = std::find(required.begin(), required.end(), name) != required.end();
        const std::string otherwise = key.contains("default") ? "`" + key["default"].dump() + "`"
                                      : must                  ? "required"
                                                              : "";
        out << "| `" << name << "` | " << range_of(key) << " | " << otherwise << " | " << key.value("description", "")
            << " |\n";
    }
}

int show_reference(const Call& call) {
    call.world.out << config::reference();
    if (!call.given.has("--plugins")) return kDone;
    const Result<config::Config> config = config::load(load_args(call, false));
    if (!config) return failed_as_it_stands(call, config.error());
    for (const PluginRow& plugin : call.hooks.list_plugins(*config)) {
        for (const PluginRow::Schema& schema : plugin.schemas) write_section(schema, call.world.out);
    }
    return kDone;
}

}  // namespace

std::vector<Command> config_commands() {
    return {
        {"config check",
         "",
         "check a configuration with its files and plugins' sections, without serving",
         with_config_options({{"--json", "", "print the findings as JSON"}}),
         0,
         0,
         check,
         {"belfry config check --config /etc/belfry/belfry.toml"}},
        {"config reference",
         "",
         "print the documented reference of all settings",
         with_config_options({{"--plugins", "", "those of the installed plugins too"}}),
         0,
         0,
         show_reference,
         {"belfry config reference --plugins | less"}},
    };
}

}  // namespace belfry::cli
