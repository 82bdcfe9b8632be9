// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <ostream>

#include "cli/command.h"

namespace belfry::cli {
namespace {

constexpr size_t kCommandColumn = 26;
constexpr size_t kOptionColumn = 28;

std::string_view group_of(const Command& command) {
    const size_t space = command.words.find(' ');
    return space == std::string_view::npos ? std::string_view() : command.words.substr(0, space);
}

void show_line(const Command& command, std::ostream& out) {
    std::string left(command.words);
    if (!command.takes.empty()) left += " " + std::string(command.takes);
    left.resize(std::max(left.size() + 2, kCommandColumn), ' ');
    out << "  " << left << command.help << "\n";
}

void show_options(const Command& command, bool shared, std::string_view heading, std::ostream& out) {
    const auto wanted = [&](const Option& option) { return option.shared == shared; };
    if (std::none_of(command.options.begin(), command.options.end(), wanted)) return;
    out << "\n" << heading << "\n";
    for (const Option& option : command.options) {
        if (!wanted(option)) continue;
        std::string left(option.name);
        if (!option.value.empty()) left += " " + std::string(option.value);
        if (option.many) left += " ...";
        left.resize(std::max(left.size() + 2, kOptionColumn), ' ');
        out << "  " << left << option.help << "\n";
    }
}

}  // namespace

bool is_group(const std::vector<Command>& commands, std::string_view word) {
    return !word.empty() &&
           std::any_of(commands.begin(), commands.end(), [&](const Command& c) { return group_of(c) == word; });
}

void show_all(const std::vector<Command>& commands, std::ostream& out) {
    out << "usage: belfry COMMAND [OPTIONS]\n";
    std::string_view group = "-";
    for (const Command& command : commands) {
        if (group_of(command) != group) out << "\n";
        group = group_of(command);
        show_line(command, out);
    }
    out << R"(
belfry COMMAND --help shows options and examples.
Commands find the server and its key in --server and --key, $BELFRY_SERVER and $BELFRY_API_KEY, or the configuration.
Exit codes: 0 done, 1 failed, 2 wrong usage.
)";
}

void show_group(const std::vector<Command>& commands, std::string_view group, std::ostream& out) {
    out << "usage: belfry " << group << " COMMAND [OPTIONS]\n\n";
    for (const Command& command : commands) {
        if (group_of(command) == group) show_line(command, out);
    }
    out << "\nbelfry " << group << " COMMAND --help shows options and examples.\n";
}

void show(const Command& command, std::ostream& out) {
    out << "usage: belfry " << command.words << " [OPTIONS]" << (command.takes.empty() ? "" : " ") << command.takes
        << "\n\n"
        << command.help << "\n";
    show_options(command, false, "Options (those with ... may be given several times):", out);
    show_options(command, true, "Server and configuration:", out);
    if (!command.examples.empty()) out << "\nExamples:\n";
    for (const std::string_view example : command.examples) out << "  " << example << "\n";
}

}  // namespace belfry::cli
