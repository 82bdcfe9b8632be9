// SPDX-License-Identifier: Apache-2.0
// The belfry program: the command line, and what only the whole program can do for it.
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>

#include "cli/cli.h"
#include "plugins/elf_file.h"
#include "serve/config_check.h"
#include "serve/migrate.h"
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

// belfry-plugin-check takes this process's place. It hears which libraries are loaded here: a plugin must not bring
// another version of one.
belfry::Result<int> check_plugin(const std::vector<std::string>& words) {
    std::error_code failed;
    const std::string program =
        (std::filesystem::read_symlink("/proc/self/exe", failed).parent_path() / "belfry-plugin-check").string();
    std::vector<std::string> arguments{program};
    arguments.insert(arguments.end(), words.begin(), words.end());
    arguments.emplace_back("--present");
    std::string present;
    for (const std::string& library : belfry::plugins::loaded_libraries()) present += library + ",";
    arguments.push_back(present);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    ::execv(program.c_str(), argv.data());
    return belfry::error(belfry::ErrorCode::Unavailable,
                         std::string("cannot run ") + program + " (" + std::strerror(errno) +
                             "); it is installed beside belfry, but not part of what ./dev up builds");
}

belfry::Result<belfry::cli::Moved> migrate(const belfry::config::Config& from, const belfry::config::Config& to,
                                           bool may_be_empty,
                                           const std::function<void(const std::string&, uint64_t)>& progress) {
    const belfry::Result<belfry::serve::Moved> moved = belfry::serve::migrate(from, to, may_be_empty, progress);
    if (!moved) return moved.error();
    belfry::cli::Moved shown{moved->resumed, {}};
    for (const belfry::serve::MovedPart& part : moved->parts)
        shown.parts.push_back({part.what, part.app, part.records});
    return shown;
}

}  // namespace

int main(int argc, char** argv) {
    const belfry::cli::Hooks hooks{
        belfry::serve::serve,    belfry::serve::check_configuration, plugin_rows, check_plugin, migrate,
        belfry::serve::take_back};
    return belfry::cli::run(argc, argv, hooks);
}
