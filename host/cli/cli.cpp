// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <iterator>

#include "cli/command.h"
#include "config/node.h"

namespace belfry::cli {
namespace {

std::vector<Command> all_commands() {
    std::vector<Command> all;
    all.push_back(serve_command());
    all.push_back(send_command());
    for (auto part : {device_commands(), push_commands(), config_commands(), api_commands()}) {
        std::move(part.begin(), part.end(), std::back_inserter(all));
    }
    all.push_back(plugin_command());
    all.push_back(version_command());
    return all;
}

void show_all(const std::vector<Command>& commands, std::ostream& out) {
    out << "usage: belfry COMMAND [OPTIONS]\n\n";
    for (const Command& command : commands) {
        std::string left(command.words);
        if (!command.takes.empty()) left += " " + std::string(command.takes);
        left.resize(std::max<size_t>(left.size() + 2, 26), ' ');
        out << "  " << left << command.help << "\n";
    }
    out << "\nbelfry COMMAND --help shows the options. Exit codes: 0 done, 1 failed, 2 usage.\n";
}

void show(const Command& command, std::ostream& out) {
    out << "usage: belfry " << command.words << " [OPTIONS]" << (command.takes.empty() ? "" : " ") << command.takes
        << "\n"
        << command.help << "\n";
    if (!command.options.empty()) out << "\n";
    for (const Option& option : command.options) {
        std::string left(option.name);
        if (!option.value.empty()) left += " " + std::string(option.value);
        if (option.many) left += " ...";
        left.resize(std::max<size_t>(left.size() + 2, 28), ' ');
        out << "  " << left << option.help << "\n";
    }
}

// How many arguments a command's own words take; 0: it is another command.
size_t match(const Command& command, const std::vector<std::string>& arguments) {
    size_t n = 0;
    std::string_view words = command.words;
    while (true) {
        const size_t end = std::min(words.find(' '), words.size());
        if (n >= arguments.size() || arguments[n] != words.substr(0, end)) return 0;
        ++n;
        if (end == words.size()) return n;
        words.remove_prefix(end + 1);
    }
}

std::string unknown_option(const Command& command, const std::string& name) {
    std::vector<std::string> known;
    for (const Option& option : command.options) known.emplace_back(option.name);
    const std::string close = config::nearest(name, known);
    const std::string place = "belfry " + std::string(command.words);
    return place + ": unknown option " + name +
           (close.empty() ? "; see " + place + " --help" : ", did you mean " + close + "?");
}

// What is wrong with the arguments; empty if nothing.
std::string parse(const Command& command, const std::vector<std::string>& arguments, size_t from, Given& given) {
    const std::string place = "belfry " + std::string(command.words);
    bool only_words = false;
    for (size_t i = from; i < arguments.size(); ++i) {
        const std::string& argument = arguments[i];
        if (only_words || argument.size() < 2 || argument.front() != '-') {
            given.words.push_back(argument);
            continue;
        }
        if (argument == "--") {
            only_words = true;
            continue;
        }
        const size_t equals = std::min(argument.find('='), argument.size());
        const std::string name = argument.substr(0, equals);
        const auto option = std::find_if(command.options.begin(), command.options.end(),
                                         [&](const Option& o) { return o.name == name; });
        if (option == command.options.end()) return unknown_option(command, name);
        std::vector<std::string>& values = given.options[name];
        if (option->value.empty()) {
            if (equals != argument.size()) return place + ": " + name + " takes no value";
            continue;
        }
        if (equals == argument.size() && i + 1 == arguments.size())
            return place + ": " + name + " needs a value, " + std::string(option->value);
        if (!option->many && !values.empty()) return place + ": " + name + " is given twice";
        values.push_back(equals == argument.size() ? arguments[++i] : argument.substr(equals + 1));
    }
    if (given.words.size() < command.words_min) return place + ": needs " + std::string(command.takes);
    if (given.words.size() > command.words_max)
        return place + ": does not take \"" + given.words[command.words_max] + "\"";
    return {};
}

}  // namespace

int usage_error(const World& world, const std::string& what) {
    world.err << what << "\n";
    return kUsage;
}

int failed(const World& world, const std::string& what) {
    world.err << what << "\n";
    return kFailed;
}

config::LoadArgs load_args(const Call& call, bool need_secrets) {
    config::LoadArgs args;
    args.file = call.given.value("--config");
    args.data_dir = call.given.value("--data-dir");
    args.sets = call.given.values("--set");
    args.environment = call.world.environment;
    args.search_default_files = call.world.search_default_files;
    args.need_secrets = need_secrets;
    return args;
}

std::vector<Option> with_config_options(std::vector<Option> own) {
    own.push_back({"--config", "FILE",
                   "the configuration; default $BELFRY_CONFIG, ./belfry.toml, /etc/belfry/belfry.toml, else none"});
    own.push_back({"--data-dir", "DIR", "instead of the configured data_dir"});
    own.push_back({"--set", "KEY=VALUE", "a setting, stronger than file and environment", true});
    return own;
}

std::vector<Option> with_server_options(std::vector<Option> own) {
    own.push_back({"--server", "URL", "the server; default $BELFRY_SERVER, else as configured"});
    own.push_back({"--key", "KEY", "the API key; default $BELFRY_API_KEY, else as configured"});
    own.push_back({"--app", "APP", "whose configured key to use; default the app \"default\""});
    own.push_back({"--json", "", "print the answer as JSON"});
    return with_config_options(std::move(own));
}

int run(const std::vector<std::string>& arguments, const Hooks& hooks, const World& world) {
    const std::vector<Command> commands = all_commands();
    if (arguments.empty() || arguments[0] == "help" || arguments[0] == "--help" || arguments[0] == "-h") {
        show_all(commands, arguments.empty() ? world.err : world.out);
        return arguments.empty() ? kUsage : kDone;
    }
    for (const Command& command : commands) {
        const size_t own = match(command, arguments);
        if (own == 0) continue;
        if (std::find(arguments.begin(), arguments.end(), "--help") != arguments.end()) {
            show(command, world.out);
            return kDone;
        }
        Given given;
        const std::string wrong = parse(command, arguments, own, given);
        if (!wrong.empty()) return usage_error(world, wrong);
        return command.run({given, hooks, world});
    }
    std::vector<std::string> known;
    for (const Command& command : commands) known.emplace_back(command.words);
    const std::string said =
        arguments[0] + (arguments.size() > 1 && arguments[1].front() != '-' ? " " + arguments[1] : "");
    const std::string close = config::nearest(said, known);
    return usage_error(world, "belfry: unknown command " + said +
                                  (close.empty() ? "; see belfry help" : ", did you mean belfry " + close + "?"));
}

int run(int argc, char** argv, const Hooks& hooks) {
    const World world{std::cout, std::cerr, std::cin, config::process_environment(), ::isatty(STDERR_FILENO) == 1,
                      true};
    return run(std::vector<std::string>(argv + 1, argv + argc), hooks, world);
}

}  // namespace belfry::cli
