// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <iterator>
#include <optional>

#include "cli/command.h"
#include "config/node.h"

namespace belfry::cli {
namespace {

std::vector<Command> all_commands() {
    std::vector<Command> all;
    all.push_back(serve_command());
    all.push_back(send_command());
    for (auto part : {device_commands(), device_stream_commands(), push_commands(), admin_commands(), config_commands(),
                      api_commands(), plugin_commands()}) {
        std::move(part.begin(), part.end(), std::back_inserter(all));
    }
    all.push_back(migrate_command());
    all.push_back(vapid_command());
    all.push_back(version_command());
    return all;
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
    return "unknown option " + name +
           (close.empty() ? "; see belfry " + std::string(command.words) + " --help" : ", did you mean " + close + "?");
}

// What is wrong with the arguments; empty if nothing.
std::string parse(const Command& command, const std::vector<std::string>& arguments, size_t from, Given& given) {
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
            if (equals != argument.size()) return name + " takes no value";
            continue;
        }
        if (equals == argument.size() && i + 1 == arguments.size())
            return name + " needs a value, " + std::string(option->value);
        if (!option->many && !values.empty()) return name + " is given twice";
        values.push_back(equals == argument.size() ? arguments[++i] : argument.substr(equals + 1));
    }
    if (given.words.size() < command.words_min) return "needs " + std::string(command.takes);
    if (given.words.size() > command.words_max) return "does not take \"" + given.words[command.words_max] + "\"";
    return {};
}

// Answers whatever asks for help: "help [COMMAND]", "COMMAND --help", "-h", and the bare name of a group.
std::optional<int> help(const std::vector<Command>& commands, const std::vector<std::string>& arguments,
                        const World& world) {
    const auto asks = [](const std::string& word) { return word == "--help" || word == "-h"; };
    std::vector<std::string> words;
    bool asked = arguments[0] == "help";
    for (size_t i = arguments[0] == "help" ? 1 : 0; i < arguments.size() && arguments[i] != "--"; ++i) {
        asked = asked || asks(arguments[i]);
        if (!asks(arguments[i])) words.push_back(arguments[i]);
    }
    const bool bare_group = words.size() == 1 && is_group(commands, words[0]);
    if (!asked && !bare_group) return std::nullopt;
    for (const Command& command : commands) {
        if (match(command, words) == 0) continue;
        show(command, world.out);
        return kDone;
    }
    if (!words.empty() && is_group(commands, words[0])) {
        show_group(commands, words[0], asked ? world.out : world.err);
        return asked ? kDone : kUsage;
    }
    if (!words.empty()) return std::nullopt;
    show_all(commands, world.out);
    return kDone;
}

}  // namespace

int usage_error(const Call& call, const std::string& what) {
    call.world.err << "belfry " << call.command << ": " << what << "\n";
    return kUsage;
}

int failed(const Call& call, const Error& why) {
    call.world.err << "belfry " << call.command << ": " << why.to_string() << "\n";
    return kFailed;
}

int failed_as_it_stands(const Call& call, const Error& why) {
    call.world.err << why.message << "\n";
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
                   "the configuration; default $BELFRY_CONFIG, ./belfry.toml, /etc/belfry/belfry.toml, else none",
                   false, true});
    own.push_back({"--data-dir", "DIR", "instead of the configured data_dir", false, true});
    own.push_back({"--set", "KEY=VALUE", "a setting, stronger than file and environment", true, true});
    return own;
}

std::vector<Option> with_server_options(std::vector<Option> own) {
    own.push_back({"--server", "URL", "the server; default $BELFRY_SERVER, else as configured", false, true});
    own.push_back({"--ca-file", "FILE", "CA of an https server, as PEM; default $BELFRY_CA_FILE, else the system's",
                   false, true});
    own.push_back({"--key", "KEY", "the API key; default $BELFRY_API_KEY, else as configured", false, true});
    own.push_back({"--app", "APP", "whose configured key to use; default the app \"default\"", false, true});
    own.push_back({"--json", "", "print the answer as JSON"});
    return with_config_options(std::move(own));
}

int run(const std::vector<std::string>& arguments, const Hooks& hooks, const World& world) {
    const std::vector<Command> commands = all_commands();
    if (arguments == std::vector<std::string>{"--version"}) return run({"version"}, hooks, world);
    if (arguments.empty()) {
        show_all(commands, world.err);
        return kUsage;
    }
    if (const std::optional<int> shown = help(commands, arguments, world)) return *shown;
    for (const Command& command : commands) {
        const size_t own = match(command, arguments);
        if (own == 0) continue;
        Given given;
        const std::string wrong = parse(command, arguments, own, given);
        const Call call{command.words, given, hooks, world};
        return wrong.empty() ? command.run(call) : usage_error(call, wrong);
    }
    std::vector<std::string> known;
    for (const Command& command : commands) known.emplace_back(command.words);
    const std::string said =
        arguments[0] + (arguments.size() > 1 && arguments[1].front() != '-' ? " " + arguments[1] : "");
    const std::string close = config::nearest(said, known);
    world.err << "belfry: unknown command " << said
              << (close.empty() ? "; see belfry help" : ", did you mean belfry " + close + "?") << "\n";
    return kUsage;
}

int run(int argc, char** argv, const Hooks& hooks) {
    auto environment = config::process_environment();
    const bool plain = environment.contains("NO_COLOR") || environment["TERM"] == "dumb";
    const World world{std::cout,
                      std::cerr,
                      std::cin,
                      std::move(environment),
                      ::isatty(STDERR_FILENO) == 1,
                      !plain && ::isatty(STDOUT_FILENO) == 1,
                      true};
    return run(std::vector<std::string>(argv + 1, argv + argc), hooks, world);
}

}  // namespace belfry::cli
