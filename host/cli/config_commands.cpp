// SPDX-License-Identifier: Apache-2.0
#include <ostream>

#include "cli/command.h"

namespace belfry::cli {
namespace {

int check(const Call& call) {
    const Result<config::Config> config = config::load(load_args(call, true));
    if (!config) return failed(call.world, config.error().message);
    const std::vector<std::string> findings = call.hooks.check_plugins(*config);
    for (const std::string& finding : findings) call.world.err << finding << "\n";
    if (!findings.empty()) return kFailed;
    call.world.out << (config->file.empty() ? "no configuration file: embedded mode" : config->file) << ": good; "
                   << config->providers.size() << " providers, " << config->apps.size() << " apps\n";
    return kDone;
}

int show_reference(const Call& call) {
    call.world.out << config::reference();
    return kDone;
}

}  // namespace

std::vector<Command> config_commands() {
    return {
        {"config check", "", "check a configuration, plugins' sections included, without starting anything",
         with_config_options({}), 0, 0, check},
        {"config reference", "", "print the documented reference of all settings", {}, 0, 0, show_reference},
    };
}

}  // namespace belfry::cli
