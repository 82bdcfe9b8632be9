// SPDX-License-Identifier: Apache-2.0
// The belfry command: subcommands, one file each. All but serve, plugin and config talk to the HTTP API like any
// client.
//
// Exit codes: 0 done, 1 failed, 2 wrong usage. What is asked for goes to `out`, errors as one line to `err`.
// Threads: main only. Not here: what a server is made of (main.cpp gives it as a hook).
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <map>
#include <string>
#include <vector>

#include "config/config.h"

namespace belfry::cli {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;

struct PluginRow {
    std::string name, version, state;  // "usable", "loaded" or "refused"
    std::string components;            // "fcm (provider)"
    std::string file;
    std::string why;  // of a refusal
    struct Schema {
        std::string component, kind, json;
    };
    std::vector<Schema> schemas;  // what each component's section may hold
};

struct Moved {
    struct Part {
        std::string what, app;
        uint64_t records = 0;
    };
    bool resumed = false;
    std::vector<Part> parts;
};

// What only the whole program can do.
struct Hooks {
    // Runs the server until it is told to stop; the exit code.
    std::function<int(const config::Config&)> serve;
    // Checks what the settings are about: folders, certificates, plugins with their sections; findings, one line each.
    std::function<std::vector<std::string>(const config::Config&)> check;
    std::function<std::vector<PluginRow>(const config::Config&)> list_plugins;
    // Checks a plugin in a program of its own with these words; its exit code, or why it cannot be run.
    std::function<Result<int>(const std::vector<std::string>&)> check_plugin;
    // Moves everything of one configuration's stores to the other's; tells what it is at, and records so far. A source
    // with nothing in it is refused unless that is meant.
    std::function<Result<Moved>(const config::Config& from, const config::Config& to, bool may_be_empty,
                                const std::function<void(const std::string&, uint64_t)>& progress)>
        migrate;
    // Makes stores usable again that were moved away, and those of `to` unusable; null: they do not exist any more.
    std::function<Status(const config::Config& from, const config::Config* to)> take_back;
};

// Where the command meets the world; tests give their own.
struct World {
    std::ostream& out;
    std::ostream& err;
    std::istream& in;
    std::map<std::string, std::string> environment;
    bool terminal = false;  // progress may be drawn on `err`
    bool colour = false;    // words on `out` may be coloured
    bool search_default_files = true;
};

int run(const std::vector<std::string>& arguments, const Hooks& hooks, const World& world);
// With this process's streams and environment.
int run(int argc, char** argv, const Hooks& hooks);

}  // namespace belfry::cli
