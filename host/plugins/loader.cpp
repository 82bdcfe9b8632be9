// SPDX-License-Identifier: Apache-2.0
#include "plugins/loader.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "plugins/elf_file.h"
#include "plugins/library.h"
#include "plugins/refusal.h"
#include "plugins/trusted_file.h"

namespace belfry::plugins {

namespace {

namespace fs = std::filesystem;

constexpr size_t kSha256Digits = 64;
constexpr std::string_view kProbeProgram = "belfry-plugin-probe";
// Grows with every change of what the probe checks: verdicts of before are then void.
constexpr std::string_view kProbeRevision = "1";

std::string manifest_of(const std::string& file) {
    return fs::path(file).replace_extension(".json").string();
}

std::string beside_this_executable(std::string_view program) {
    std::error_code failed;
    const fs::path self = fs::read_symlink("/proc/self/exe", failed);
    return (self.parent_path() / program).string();
}

std::string first_line(const std::string& path) {
    std::ifstream in(path);
    std::string line;
    std::getline(in, line);
    return line;
}

}  // namespace

// A plugin's files after all checks that run nothing.
struct Loader::Examined {
    std::string name, file;
    std::vector<std::byte> bytes;
    std::string manifest_text;
    std::string sha256;  // of the bytes
    std::string key;     // of bytes and manifest
    Manifest manifest;
    std::map<std::string, std::unique_ptr<const Schema>, std::less<>> schemas;
    std::vector<std::string> warnings;
};

Loader::Loader(LoaderOptions options, HostFactory& hosts, Log& log)
    : options_([&] {
          if (options.probe.program.empty()) options.probe.program = beside_this_executable(kProbeProgram);
          return std::move(options);
      }()),
      hosts_(hosts),
      log_(log, "plugins") {}
Loader::~Loader() = default;

std::string Loader::locate(const std::string& name) const {
    for (const std::string& dir : options_.dirs) {
        const fs::path file = fs::path(dir) / (name + ".so");
        std::error_code failed;
        if (fs::symlink_status(file, failed).type() != fs::file_type::not_found) return file.string();
    }
    return {};
}

std::vector<std::string> Loader::names_in(const std::string& dir) const {
    std::vector<std::string> names;
    std::error_code failed;
    for (const fs::directory_entry& entry : fs::directory_iterator(dir, failed)) {
        if (entry.path().extension() == ".so") names.push_back(entry.path().stem().string());
    }
    std::sort(names.begin(), names.end());
    return names;
}

Error Loader::not_found(const std::string& name) const {
    std::vector<std::string> known;
    std::string where;
    for (const std::string& dir : options_.dirs) {
        where += (where.empty() ? "" : ", ") + dir;
        const std::vector<std::string> here = names_in(dir);
        known.insert(known.end(), here.begin(), here.end());
    }
    const std::string meant = nearest(name, known);
    return error(ErrorCode::NotFound,
                 "there is no " + name + ".so in plugin_dirs (" + where + "); " +
                     (meant.empty() ? "install the plugin or add its folder" : "did you mean \"" + meant + "\"?"),
                 "plugin \"" + name + "\"");
}

Status Loader::read_files(Examined& plugin) const {
    const TrustRules rules{options_.dev};
    Result<TrustedFile> object = read_trusted(plugin.file, kPluginBytesMax, rules);
    if (!object) return object.error();
    const std::string manifest_file = manifest_of(plugin.file);
    Result<TrustedFile> manifest = read_trusted(manifest_file, kManifestBytesMax, rules);
    if (!manifest && manifest.error().code == ErrorCode::NotFound)
        return refusal(plugin.file, "it has no manifest " + manifest_file, "install the one that came with it");
    if (!manifest) return manifest.error();
    plugin.bytes = std::move(object->bytes);
    plugin.manifest_text.assign(reinterpret_cast<const char*>(manifest->bytes.data()), manifest->bytes.size());
    plugin.warnings = std::move(object->warnings);
    plugin.warnings.insert(plugin.warnings.end(), manifest->warnings.begin(), manifest->warnings.end());
    return {};
}

Status Loader::check_libraries(Examined& plugin, std::span<const std::byte> bytes) const {
    const Result<ElfFacts> facts = read_elf(bytes, plugin.file);
    if (!facts) return facts.error();
    for (const std::string& folder : facts->runpath) {
        if (const Status trusted = check_trusted_folder(plugin.file, folder, TrustRules{options_.dev}, plugin.warnings);
            !trusted)
            return trusted;
    }
    return check_needed(*facts, loaded_libraries(), plugin.file);
}

Result<Loader::Examined> Loader::examine(const std::string& name, const std::string& file) const {
    Examined plugin;
    plugin.name = name;
    plugin.file = file;
    if (const Status read = read_files(plugin); !read) return read.error();
    const std::string manifest_file = manifest_of(file);
    Result<Manifest> manifest = parse_manifest(plugin.manifest_text, manifest_file);
    if (!manifest) return manifest.error();
    plugin.manifest = std::move(*manifest);
    for (const Component& component : plugin.manifest.components) {
        Result<std::unique_ptr<const Schema>> schema = Schema::parse(component.schema);
        if (!schema) {
            return refusal(manifest_file,
                           "component \"" + component.name + "\": its config_schema " + schema.error().message,
                           "correct the schema");
        }
        plugin.schemas[component.name] = std::move(*schema);
    }
    if (const Status checked = check_libraries(plugin, plugin.bytes); !checked) return checked.error();
    plugin.sha256 = sha256_hex(plugin.bytes.data(), plugin.bytes.size());
    plugin.key = plugin.sha256 + "-" + sha256_hex(plugin.manifest_text.data(), plugin.manifest_text.size());
    if (!plugin.manifest.sha256.empty() && plugin.manifest.sha256 != plugin.sha256)
        return refusal(file, "its sha256 is " + plugin.sha256 + ", the manifest says " + plugin.manifest.sha256,
                       "install both from the same build");
    const auto pin = options_.pins.find(name);
    if (pin != options_.pins.end() && pin->second != plugin.sha256)
        return refusal(file, "its sha256 is " + plugin.sha256 + ", it is pinned to " + pin->second,
                       "install the pinned build or change the pin");
    return plugin;
}

Status Loader::probe_once(const Examined& plugin, const std::string& copy, const std::string& folder) const {
    const std::string verdict_file = folder + "/" + plugin.sha256 + ".probed";
    const std::string verdict =
        "passed " + plugin.key + " host " + options_.host_version + " probe " + std::string(kProbeRevision);
    if (first_line(verdict_file) == verdict) return {};
    const Result<ProbeReport> report = probe(options_.probe, copy, plugin.manifest_text, plugin.file);
    if (!report) return report.error();
    for (const std::string& note : report->notes) log_.info("probe", {{"plugin", plugin.name}, {"note", note}});
    std::ofstream(verdict_file, std::ios::trunc) << verdict << "\n";
    return {};
}

Result<std::string> Loader::admit(const Examined& plugin) const {
    const std::string wanted = options_.data_dir + "/run/plugins";
    if (const Status made = make_private_folder(wanted); !made) return made.error();
    std::error_code failed;
    const std::string folder = fs::canonical(wanted, failed).string();
    if (failed) return error(ErrorCode::Misconfigured, failed.message(), wanted);
    if (const Status written = write_private_copy(folder, plugin.sha256 + ".so", plugin.bytes); !written)
        return written.error();
    const std::string copy = folder + "/" + plugin.sha256 + ".so";
    if (const Status probed = probe_once(plugin, copy, folder); !probed) return probed.error();
    return copy;
}

Result<std::shared_ptr<const LoadedPlugin>> Loader::open(Examined&& examined, const std::string& copy) {
    auto plugin = std::make_shared<LoadedPlugin>();
    const Result<Entry> entry = open_library(copy, examined.file);
    if (!entry) return entry.error();
    plugin->entry_host = hosts_.make({examined.name, examined.manifest.id, Kind::Provider, {}, {}, true});
    const Result<belfry_plugin> table = enter(entry->call, plugin->entry_host->abi(), examined.manifest, examined.file);
    if (!table) return table.error();
    plugin->table = *table;
    plugin->name = examined.name;
    plugin->file = examined.file;
    plugin->sha256 = examined.sha256;
    plugin->manifest = std::move(examined.manifest);
    plugin->schemas = std::move(examined.schemas);
    return std::shared_ptr<const LoadedPlugin>(std::move(plugin));
}

Result<std::shared_ptr<const LoadedPlugin>> Loader::load(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const std::string file = name.find('/') == std::string::npos ? locate(name) : std::string();
    if (file.empty()) return not_found(name);
    Result<Examined> examined = examine(name, file);
    if (!examined) return examined.error();
    const std::string key = examined->key;
    if (const auto there = loaded_.find(key); there != loaded_.end()) return there->second;
    const auto builds =
        std::count_if(loaded_.begin(), loaded_.end(), [&](const auto& entry) { return entry.second->name == name; });
    if (static_cast<size_t>(builds) >= kBuildsMax) {
        return refusal(file,
                       std::to_string(builds) + " builds of it are in this process already, and none can be unloaded",
                       "restart Belfry to load another one");
    }
    for (const std::string& warning : examined->warnings) {
        if (warned_.insert(warning).second) log_.warning("plugin file", {{"plugin", name}, {"warning", warning}});
    }
    const Result<std::string> copy = admit(*examined);
    if (!copy) return copy.error();
    Result<std::shared_ptr<const LoadedPlugin>> opened = open(std::move(*examined), *copy);
    if (!opened) return opened.error();
    loaded_[key] = *opened;
    log_.info(
        "plugin loaded",
        {{"plugin", name}, {"version", (*opened)->manifest.version}, {"file", file}, {"sha256", (*opened)->sha256}});
    return opened;
}

size_t Loader::remove_stale_copies() {
    const std::lock_guard lock(mutex_);
    std::set<std::string, std::less<>> kept;
    for (const auto& [key, plugin] : loaded_) kept.insert(plugin->sha256);
    size_t removed = 0;
    std::error_code failed;
    for (const fs::directory_entry& entry : fs::directory_iterator(options_.data_dir + "/run/plugins", failed)) {
        const std::string name = entry.path().filename().string();
        const std::string sum = name.substr(0, name.find('.'));
        const bool ours = sum.size() == kSha256Digits && sum.find_first_not_of("0123456789abcdef") == std::string::npos;
        const bool half_written = name.size() > 5 && name.compare(name.size() - 5, 5, ".part") == 0;
        if (!ours || (kept.contains(sum) && !half_written)) continue;
        if (::unlink(entry.path().c_str()) == 0) ++removed;
    }
    return removed;
}

PluginInfo Loader::describe(const std::string& name, const std::string& file, bool probed) const {
    PluginInfo info;
    info.name = name;
    info.file = file;
    const std::string first = locate(name);
    if (first != file) {
        info.line =
            refusal(file, "it is hidden by " + first + ", which comes first in plugin_dirs", "remove one of them")
                .to_string();
        return info;
    }
    const Result<Examined> examined = examine(name, file);
    if (!examined) {
        info.line = examined.error().to_string();
        return info;
    }
    info.id = examined->manifest.id;
    info.version = examined->manifest.version;
    info.sha256 = examined->sha256;
    info.components = examined->manifest.components;
    if (loaded_.find(examined->key) != loaded_.end()) {
        info.state = PluginInfo::State::Loaded;
        return info;
    }
    const Result<std::string> admitted = probed ? admit(*examined) : Result<std::string>(std::string());
    if (admitted)
        info.state = PluginInfo::State::Usable;
    else
        info.line = admitted.error().to_string();
    return info;
}

std::vector<PluginInfo> Loader::list(bool probed) {
    const std::lock_guard lock(mutex_);
    std::vector<PluginInfo> all;
    for (const std::string& dir : options_.dirs) {
        for (const std::string& name : names_in(dir))
            all.push_back(describe(name, (fs::path(dir) / (name + ".so")).string(), probed));
    }
    std::stable_sort(all.begin(), all.end(), [](const PluginInfo& a, const PluginInfo& b) { return a.name < b.name; });
    return all;
}

}  // namespace belfry::plugins
