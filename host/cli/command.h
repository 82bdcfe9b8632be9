// SPDX-License-Identifier: Apache-2.0
// What a subcommand is: words, options, help and a function. The table of all of them is in cli.cpp.
// Used inside this folder only.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/cli.h"

namespace belfry::cli {

struct Option {
    std::string_view name;   // "--user"
    std::string_view value;  // "USER"; empty: a switch
    std::string_view help;
    bool many = false;
    bool shared = false;  // about server and configuration, the same for many commands
};

struct Given {
    std::map<std::string, std::vector<std::string>, std::less<>> options;  // by name, switches with no values
    std::vector<std::string> words;  // what is no option, after the command's own words

    bool has(std::string_view name) const { return options.find(name) != options.end(); }
    // The last value; empty if not given.
    std::string value(std::string_view name) const {
        const auto it = options.find(name);
        return it == options.end() || it->second.empty() ? std::string() : it->second.back();
    }
    std::vector<std::string> values(std::string_view name) const {
        const auto it = options.find(name);
        return it == options.end() ? std::vector<std::string>() : it->second;
    }
};

struct Call {
    std::string_view command;  // its words, for messages
    const Given& given;
    const Hooks& hooks;
    const World& world;
};

struct Command {
    std::string_view words;  // "devices list"
    std::string_view takes;  // "ID...": what follows the options
    std::string_view help;
    std::vector<Option> options;
    size_t words_min = 0;
    size_t words_max = 0;
    int (*run)(const Call&) = nullptr;
    std::vector<std::string_view> examples = {};
};

// Wrong usage: the caller has typed something that no command understands. One line: "belfry COMMAND: what".
int usage_error(const Call& call, const std::string& what);
int failed(const Call& call, const Error& why);
// With findings that say where they belong themselves ("belfry.toml:3: ...").
int failed_as_it_stands(const Call& call, const Error& why);

config::LoadArgs load_args(const Call& call, bool need_secrets);

Command serve_command();
Command send_command();
std::vector<Command> device_commands();
std::vector<Command> device_stream_commands();
std::vector<Command> push_commands();
std::vector<Command> config_commands();
std::vector<Command> api_commands();
std::vector<Command> plugin_commands();
std::vector<Command> admin_commands();
Command migrate_command();
Command vapid_command();
Command version_command();

// Help: the table of all commands, those of one group ("devices"), one command.
void show_all(const std::vector<Command>& commands, std::ostream& out);
void show_group(const std::vector<Command>& commands, std::string_view group, std::ostream& out);
void show(const Command& command, std::ostream& out);
// Whether some commands begin with this word and go on after it.
bool is_group(const std::vector<Command>& commands, std::string_view word);

// Options of everything that reads the configuration, and of everything that talks to a server.
std::vector<Option> with_config_options(std::vector<Option> own);
std::vector<Option> with_server_options(std::vector<Option> own);

}  // namespace belfry::cli
