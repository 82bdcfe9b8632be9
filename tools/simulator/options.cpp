// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>
#include <string_view>
#include <variant>

namespace belfry::simulator {

namespace {

struct Number {
    std::int64_t Options::*field;
    std::int64_t least;
    std::int64_t most;
};
using Text = std::string Options::*;
using List = std::vector<std::string> Options::*;
using Flag = bool Options::*;

struct Option {
    std::string_view name;
    std::string_view value;  // what the help calls it
    std::variant<Text, List, Flag, Number> how;
    std::string_view help;
};

constexpr std::int64_t kMany = 1'000'000'000;

const std::array kOptions{
    Option{"--dir", "DIR", &Options::dir, "where keys, certificates and simulator.json live (required)"},
    Option{"--listen", "HOST:PORT", &Options::listen, "data port: FCM and /token over TLS; port 0 chooses one"},
    Option{"--control", "HOST:PORT", &Options::control, "control port, plain HTTP"},
    Option{"--apns-listen", "HOST:PORT", &Options::apns_listen, "APNs, production"},
    Option{"--apns-sandbox-listen", "HOST:PORT", &Options::apns_sandbox_listen, "APNs, sandbox"},
    Option{"--apns-channels-listen", "HOST:PORT", &Options::apns_channels_listen, "APNs' channels, production"},
    Option{"--apns-sandbox-channels-listen", "HOST:PORT", &Options::apns_sandbox_channels_listen,
           "APNs' channels, sandbox"},
    Option{"--hms-listen", "HOST:PORT", &Options::hms_listen, "Push Kit with its token endpoint"},
    Option{"--project", "NAME", &Options::projects, "a project to simulate (default demo); may be given again"},
    Option{"--latency-ms", "N", Number{&Options::latency_ms, 0, 86'400'000}, "delay of every answer"},
    Option{"--stream-limit", "N", Number{&Options::stream_limit, 0, 1'000'000}, "streams per connection (100)"},
    Option{"--token-lifetime-s", "N", Number{&Options::token_lifetime_s, 1, 86'400}, "of access tokens (3599)"},
    Option{"--quota-per-minute", "N", Number{&Options::quota_per_minute, 0, kMany},
           "messages per project (600000); 0: no quota"},
    Option{"--device-per-minute", "N", Number{&Options::device_per_minute, 0, 65'535},
           "messages per device (240); 0: no limit"},
    Option{"--device-per-hour", "N", Number{&Options::device_per_hour, 0, 65'535},
           "messages per device (5000); 0: no limit"},
    Option{"--threads", "N", Number{&Options::threads, 1, 64}, "event loops of the data port, and of the sink (1)"},
    Option{"--journal", "N", Number{&Options::journal, 0, 10'000'000}, "requests the journal keeps (100000)"},
    Option{"--phones", "N", Number{&Options::phones, 0, 10'000'000}, "phones whose messages are kept (10000)"},
    Option{"--seed", "N", Number{&Options::seed, 0, kMany}, "of the dice for faults in percent and for jitter (1)"},
    Option{"--sink", "", &Options::sink, "also serve the raw sink for benchmarks: it checks nothing"},
    Option{"--sink-listen", "HOST:PORT", &Options::sink_listen, "port of the sink"},
    Option{"--help", "", &Options::help, "this text"},
};

std::int64_t parse_number(std::string_view text, const Option& option, const Number& number) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < number.least || value > number.most) {
        throw std::runtime_error(std::string(option.name) + " must be a number from " + std::to_string(number.least) +
                                 " to " + std::to_string(number.most) + ", not \"" + std::string(text) + "\"");
    }
    return value;
}

void assign(Options& options, const Option& option, std::string_view value) {
    if (const auto* text = std::get_if<Text>(&option.how)) options.*(*text) = std::string(value);
    if (const auto* list = std::get_if<List>(&option.how)) (options.*(*list)).emplace_back(value);
    if (const auto* number = std::get_if<Number>(&option.how)) {
        options.*(number->field) = parse_number(value, option, *number);
    }
}

}  // namespace

Options parse_options(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        const auto equals = argument.find('=');
        const std::string_view name = argument.substr(0, equals);
        const auto* option =
            std::find_if(kOptions.begin(), kOptions.end(), [&](const Option& each) { return each.name == name; });
        if (option == kOptions.end()) {
            throw std::runtime_error("unknown option \"" + std::string(argument) + "\"; see --help");
        }
        if (const auto* flag = std::get_if<Flag>(&option->how)) {
            options.*(*flag) = true;
            continue;
        }
        if (equals == std::string_view::npos && i + 1 >= argc) {
            throw std::runtime_error(std::string(name) + " needs a value: " + std::string(option->value));
        }
        assign(options, *option, equals == std::string_view::npos ? argv[++i] : argument.substr(equals + 1));
    }
    if (options.projects.empty()) options.projects.emplace_back("demo");
    if (options.dir.empty() && !options.help) throw std::runtime_error("--dir DIR is required; see --help");
    return options;
}

std::string help_text() {
    constexpr std::size_t kHelpColumn = 28;
    std::string text = "belfry-simulator: FCM, APNs, HMS and Web Push services on loopback; strict and scriptable\n\n";
    for (const Option& option : kOptions) {
        std::string line = "  " + std::string(option.name) + ' ' + std::string(option.value);
        line.resize(std::max(kHelpColumn, line.size() + 1), ' ');
        text += line + std::string(option.help) + '\n';
    }
    return text;
}

}  // namespace belfry::simulator
