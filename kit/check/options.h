// SPDX-License-Identifier: Apache-2.0
// The command line of belfry-plugin-check. `belfry plugin check` hands its own words on.
// Threads: main only.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace belfry::kit {

struct Options {
    std::string file;
    std::string config;                         // JSON text, or the name of a file with it
    std::string component;                      // empty: every component of the plugin
    std::vector<std::string> cases;             // names with * and ?; empty: all
    std::vector<std::string> tokens, payloads;  // that the provider accepts
    std::vector<std::string> present;           // libraries of the host, beside this program's own
    std::string junit;                          // file to write
    uint64_t seed = 0;
    uint32_t scale = 1;
    bool json = false, list = false, keep = false, trace = false;
    std::optional<std::set<std::string>> expect_fail;  // exactly these cases fail, else the check does
    std::string error;                                 // wrong usage
};

Options parse_options(int argc, char** argv);

// Whether a case's name is meant: equal, or by * and ?.
bool matches(std::string_view pattern, std::string_view name) noexcept;
bool is_wanted(const Options& options, std::string_view name);

std::string usage();

}  // namespace belfry::kit
