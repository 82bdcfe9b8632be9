// SPDX-License-Identifier: Apache-2.0
// The command line. One table (options.cpp) drives parsing and help.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace belfry::simulator {

struct Options {
    std::string dir;
    std::string listen = "127.0.0.1:0";
    std::string control = "127.0.0.1:0";
    std::string apns_listen = "127.0.0.1:0";
    std::string apns_sandbox_listen = "127.0.0.1:0";
    std::string apns_channels_listen = "127.0.0.1:0";
    std::string apns_sandbox_channels_listen = "127.0.0.1:0";
    std::string hms_listen = "127.0.0.1:0";
    std::string sink_listen = "127.0.0.1:0";
    std::vector<std::string> projects;  // --project, default demo
    std::int64_t latency_ms = 0;
    std::int64_t stream_limit = 100;
    std::int64_t token_lifetime_s = 3599;
    std::int64_t quota_per_minute = 600'000;
    std::int64_t device_per_minute = 240;
    std::int64_t device_per_hour = 5'000;
    std::int64_t threads = 1;
    std::int64_t journal = 100'000;
    std::int64_t phones = 10'000;
    std::int64_t seed = 1;
    bool sink = false;
    bool help = false;
};

// Throws std::runtime_error that says what is wrong and what to do.
Options parse_options(int argc, char** argv);
std::string help_text();

}  // namespace belfry::simulator
