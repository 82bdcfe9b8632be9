// SPDX-License-Identifier: Apache-2.0
// Finds plugins by name, checks them step by step and loads them; says in one line why one was refused.
//
// A plugin is <dir>/<name>.so with its manifest <dir>/<name>.json. In this order: who may write the files; the
// manifest; the ELF file, read without executing it; a pin; a private copy under data_dir, since a path may mean
// another file tomorrow; a probe in a child process, once per file content; only then dlopen in this process. Nothing
// is ever unloaded. Threads: [any], one load at a time. Owner: main. Not here: configuration of instances
// (instances.h).
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "plugins/host_factory.h"
#include "plugins/manifest.h"
#include "plugins/plugin_table.h"
#include "plugins/probe.h"
#include "plugins/schema.h"

namespace belfry::plugins {

inline constexpr size_t kPluginBytesMax = 256u << 20;
// How many builds of one plugin a process keeps: each stays mapped.
inline constexpr size_t kBuildsMax = 8;

struct LoaderOptions {
    std::vector<std::string> dirs;            // searched in this order
    std::string data_dir;                     // private copies go to <data_dir>/run/plugins
    bool dev = false;                         // see TrustRules
    std::map<std::string, std::string> pins;  // plugin name -> the only sha256 allowed
    std::string host_version;                 // verdicts of the probe are kept per version of the host
    ProbeOptions probe;                       // program empty: belfry-plugin-probe beside this executable
};

// One file content that passed everything. Immutable; lives as long as its loader.
struct LoadedPlugin {
    std::string name, file, sha256;
    Manifest manifest;
    std::map<std::string, std::unique_ptr<const Schema>, std::less<>> schemas;  // by component
    belfry_plugin table{};
    std::unique_ptr<InstanceHost> entry_host;  // what the entry function was given
};

struct PluginInfo {
    enum class State : uint8_t { Loaded, Usable, Refused };
    std::string name, file;
    State state = State::Refused;
    std::string line;  // Refused: why, and what to do
    std::string id, version, sha256;
    std::vector<Component> components;
};

class Loader {
public:
    Loader(LoaderOptions options, HostFactory& hosts, Log& log);
    ~Loader();
    Loader(const Loader&) = delete;
    Loader& operator=(const Loader&) = delete;

    // The plugin as its file is now; the same content is loaded once. NotFound: there is no such file.
    Result<std::shared_ptr<const LoadedPlugin>> load(const std::string& name);
    // Everything in `dirs`, by name. What is not loaded is checked, with `probed` in a child process too, but never
    // loaded.
    std::vector<PluginInfo> list(bool probed);
    // Removes the private copies that earlier processes left and this one has not loaded; how many files. Only for the
    // one process that owns data_dir, and after everything configured was loaded.
    size_t remove_stale_copies();

private:
    struct Examined;
    std::string locate(const std::string& name) const;
    Error not_found(const std::string& name) const;
    std::vector<std::string> names_in(const std::string& dir) const;
    Result<Examined> examine(const std::string& name, const std::string& file) const;
    Status read_files(Examined& plugin) const;
    Status check_libraries(Examined& plugin, std::span<const std::byte> bytes) const;
    // Copies and probes: what may cost time, but runs nothing in this process. The answer is the copy's path.
    Result<std::string> admit(const Examined& plugin) const;
    Status probe_once(const Examined& plugin, const std::string& copy, const std::string& folder) const;
    Result<std::shared_ptr<const LoadedPlugin>> open(Examined&& plugin, const std::string& copy);
    PluginInfo describe(const std::string& name, const std::string& file, bool probed) const;

    const LoaderOptions options_;
    HostFactory& hosts_;
    const Logger log_;
    mutable std::mutex mutex_;                                           // one load at a time; guards what follows
    std::set<std::string> warned_;                                       // said already: plugins share folders
    std::map<std::string, std::shared_ptr<const LoadedPlugin>> loaded_;  // by sha256 of file and manifest
};

}  // namespace belfry::plugins
