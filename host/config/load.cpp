// SPDX-License-Identifier: Apache-2.0
// File, environment and --set become one tree (overlay); the tree becomes a Config, which is checked as a whole
// (checks); what is wrong becomes a list of findings.
#include <unistd.h>

#include <filesystem>

#include "base/small_file.h"
#include "config/checks.h"
#include "config/config.h"
#include "config/findings.h"
#include "config/node.h"
#include "config/overlay.h"
#include "config/settings.h"

namespace belfry::config {
namespace {

constexpr size_t kConfigBytesMax = 4 << 20;
// Sections whose names or keys the user or a plugin chooses, beside the fixed ones.
const std::vector<std::string> kOpenSections = {"apps", "storage", "queue", "providers", "sinks"};

std::string found_file(const LoadArgs& args) {
    if (!args.file.empty()) return args.file;
    const auto named = args.environment.find("BELFRY_CONFIG");
    if (named != args.environment.end() && !named->second.empty()) return named->second;
    if (!args.search_default_files) return {};
    for (const char* usual : {"belfry.toml", "/etc/belfry/belfry.toml"}) {
        if (::access(usual, F_OK) == 0) return usual;
    }
    return {};
}

Result<Node> read_file(const std::string& file) {
    const Result<std::string> text = read_small_file(file, kConfigBytesMax);
    if (text) return read_toml(*text, file);
    return error(ErrorCode::Misconfigured, file + ": cannot be read (" + text.error().message +
                                               "); check the path given by --config or BELFRY_CONFIG");
}

// Where an installation puts its plugins: lib/belfry/plugins beside the program's bin, then the distribution's place.
std::vector<std::string> usual_plugin_dirs() {
    constexpr const char* kSystem = "/usr/lib/belfry/plugins";
    std::error_code failed;
    const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", failed);
    if (failed) return {kSystem};
    const std::string beside = (program.parent_path().parent_path() / "lib/belfry/plugins").string();
    if (beside == kSystem) return {kSystem};
    return {beside, kSystem};
}

class Loader {
public:
    Loader(const LoadArgs& args, Config& config, Reading& reading) : args_(args), config_(config), reading_(reading) {}

    void read(Node& root) {
        config_.apps.push_back(
            {std::string(kDefaultApp), {}, {}, config_.file.empty() ? "embedded mode" : config_.file});
        const std::vector<Section> fixed = fixed_sections(config_);
        std::vector<std::string> tables = kOpenSections;
        for (const Section& section : fixed) {
            if (!section.name.empty()) tables.emplace_back(section.name);
        }
        for (const Section& section : fixed) {
            if (section.name.empty()) {
                read_section(root, section, "", tables, Unknown::Refuse, reading_);
            } else if (const Node* table = table_of(root, std::string(section.name))) {
                read_section(*table, section, std::string(section.name) + ".", {}, Unknown::Refuse, reading_);
            }
        }
        each_named(root, "apps", [&](const std::string& name, const Node& table) { read_app(name, table); });
        read_component(root.find("storage"), "storage", "storage_sqlite", storage_section(config_.storage),
                       config_.storage);
        read_component(root.find("queue"), "queue", "queue_sqlite", queue_section(config_.queue), config_.queue);
        each_named(root, "providers", [&](const std::string& name, const Node& table) {
            ComponentConfig& provider = config_.providers.emplace_back();
            provider.instance = name;
            read_component(&table, "providers." + name, name, provider_section(provider), provider);
        });
        if (const Node* sinks = root.find("sinks")) refuse_sinks(*sinks);
        finish();
    }

private:
    const Node* table_of(const Node& root, const std::string& name) {
        const Node* node = root.find(name);
        if (!node || node->is(Node::Kind::Table)) return node;
        reading_.complain(node->origin, name + " must be a table: [" + name + "]");
        return nullptr;
    }

    template <class Fn>
    void each_named(const Node& root, const std::string& kind, Fn&& fn) {
        const Node* all = table_of(root, kind);
        if (!all) return;
        for (const auto& [name, table] : all->table) {
            if (!table.is(Node::Kind::Table)) {
                reading_.complain(table.origin, kind + "." + name + " must be a table: [" + kind + "." + name + "]");
            } else if (!usable_name(name)) {
                reading_.complain(table.origin, kind + "." + name + ": a name has 1 to 64 letters, digits, '_' or '-'");
            } else {
                fn(name, table);
            }
        }
    }

    // The ABI has sinks, the server starts none yet: whoever configures one would wait for events that never come.
    void refuse_sinks(const Node& sinks) {
        const bool named = sinks.is(Node::Kind::Table) && !sinks.table.empty();
        reading_.complain(named ? sinks.table.front().second.origin : sinks.origin,
                          (named ? "[sinks." + sinks.table.front().first + "]" : std::string("[sinks]")) +
                              ": sinks are planned, this version has none; remove the section");
    }

    void read_app(const std::string& name, const Node& table) {
        AppConfig* app = &config_.apps.front();
        if (name != kDefaultApp) app = &config_.apps.emplace_back();
        app->name = name;
        app->origin = table.origin;
        read_section(table, app_section(*app), "apps." + name + ".", {}, Unknown::Refuse, reading_);
    }

    void read_component(const Node* table, const std::string& key, const std::string& plugin, const Section& section,
                        ComponentConfig& component) {
        if (component.instance.empty()) component.instance = key;
        component.plugin = plugin;
        component.origin = table ? table->origin : key;
        if (!table) return;
        if (!table->is(Node::Kind::Table))
            return reading_.complain(table->origin, key + " must be a table: [" + key + "]");
        const Node rest = read_section(*table, section, key + ".", {}, Unknown::Keep, reading_);
        read_plugin_section(rest, key + ".", component, reading_);
    }

    void finish() {
        config_.given_data_dir = args_.data_dir;
        if (!args_.data_dir.empty()) config_.data_dir = args_.data_dir;
        Node written;
        written.from_file = args_.data_dir.empty() && !config_.file.empty();
        config_.data_dir = reading_.complete(config_.data_dir, written);
        if (config_.plugin_dirs == Config().plugin_dirs) config_.plugin_dirs = usual_plugin_dirs();
        if (config_.admin.backup_dir.empty()) config_.admin.backup_dir = config_.data_dir + "/backups";
        if (config_.file.empty() && config_.providers.empty()) {
            ComponentConfig& webpush = config_.providers.emplace_back();
            webpush.instance = webpush.plugin = "webpush";
            webpush.origin = "embedded mode";
            webpush.implied = true;
        }
        check_whole(config_, args_, reading_);
    }

    const LoadArgs& args_;
    Config& config_;
    Reading& reading_;
};

}  // namespace

std::map<std::string, std::string> process_environment() {
    std::map<std::string, std::string> out;
    for (char** entry = environ; entry && *entry; ++entry) {
        const std::string_view text(*entry);
        const size_t equals = text.find('=');
        if (equals != std::string_view::npos) out.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return out;
}

namespace {

// What can be had of it is in `config`, whatever `reading` has found.
Status load_into(const LoadArgs& args, Config& config, Reading& reading) {
    reading.environment = &args.environment;
    reading.need_secrets = args.need_secrets;
    std::error_code ignored;
    reading.current = std::filesystem::current_path(ignored).string();
    config.file = found_file(args);
    config.sets = args.sets;
    Node root;
    if (!config.file.empty()) {
        Result<Node> read = read_file(config.file);
        if (!read) return read.error();
        root = std::move(*read);
        reading.folder = std::filesystem::absolute(config.file, ignored).parent_path().string();
    }
    config.folder = config.file.empty() ? reading.current : reading.folder;
    config.current = reading.current;
    overlay(root, args, reading);
    Loader(args, config, reading).read(root);
    return {};
}

}  // namespace

Result<Config> load(const LoadArgs& args) {
    Config config;
    Reading reading;
    if (const Status read = load_into(args, config, reading); !read) return read.error();
    if (reading.findings.empty()) return config;
    std::string all;
    for (const std::string& finding : reading.findings) all += (all.empty() ? "" : "\n") + finding;
    return error(ErrorCode::Misconfigured, all);
}

std::optional<Config> load_and_list(const LoadArgs& args, std::vector<std::string>& findings) {
    Config config;
    Reading reading;
    if (const Status read = load_into(args, config, reading); !read) {
        findings.push_back(read.error().to_string());
        return std::nullopt;
    }
    findings = std::move(reading.findings);
    return config;
}

}  // namespace belfry::config
