// SPDX-License-Identifier: Apache-2.0
// The belfry program: the command line, and what only the whole program can do for it.
#include "cli/cli.h"
#include "serve/serve.h"
#include "serve/survey.h"

namespace {

std::vector<belfry::cli::PluginRow> plugin_rows(const belfry::config::Config& config) {
    using State = belfry::plugins::PluginInfo::State;
    std::vector<belfry::cli::PluginRow> rows;
    for (const belfry::plugins::PluginInfo& info : belfry::serve::survey_plugins(config)) {
        belfry::cli::PluginRow& row = rows.emplace_back();
        row.name = info.name;
        row.version = info.version;
        row.state = info.state == State::Refused ? "refused" : "usable";
        for (const belfry::plugins::Component& component : info.components) {
            row.components += (row.components.empty() ? "" : ", ") + component.name + " (" +
                              std::string(belfry::plugins::name_of(component.kind)) + ")";
            row.schemas.push_back(
                {component.name, std::string(belfry::plugins::name_of(component.kind)), component.schema});
        }
        row.file = info.file;
        row.why = info.line;
    }
    return rows;
}

}  // namespace

int main(int argc, char** argv) {
    const belfry::cli::Hooks hooks{belfry::serve::serve, belfry::serve::check_sections, plugin_rows};
    return belfry::cli::run(argc, argv, hooks);
}
