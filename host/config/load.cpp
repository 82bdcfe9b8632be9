// SPDX-License-Identifier: Apache-2.0
// File, environment and --set become one tree; the tree becomes a Config; what is wrong becomes a list of findings.
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/small_file.h"
#include "config/config.h"
#include "config/findings.h"
#include "config/node.h"
#include "config/settings.h"
#include "config/wire_names.h"

namespace belfry::config {
namespace {

constexpr std::string_view kPrefix = "BELFRY_";
constexpr size_t kConfigBytesMax = 4 << 20;
constexpr size_t kNameBytesMax = 64;
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

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

// "PROVIDERS__APNS_VOIP__TOPIC" names providers.apns-voip.topic if the file has such a section.
std::vector<std::string> path_of_variable(const Node& root, std::string_view name) {
    std::vector<std::string> path;
    const Node* at = &root;
    while (true) {
        const size_t end = name.find("__");
        std::string key = lower(name.substr(0, end));
        const Node* next = nullptr;
        if (at) {
            for (const auto& [known, value] : at->table) {
                if (lower(known) != key) continue;
                key = known;
                next = &value;
                break;
            }
        }
        at = next;
        path.push_back(std::move(key));
        if (end == std::string_view::npos) return path;
        name.remove_prefix(end + 2);
    }
}

// A variable that nobody reads but somebody meant: BELFRY_DATADIR, BELFRY_HTTP_LISTEN. Empty: none of ours.
std::string meant_variable(const std::string& name) {
    const auto variable = [](std::string key) {
        for (char& c : key) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        return std::string(kPrefix) + key;
    };
    Config fresh;
    fresh.apps.emplace_back();
    for (const Section& section : fixed_sections(fresh)) {
        for (const Setting& setting : section.settings) {
            std::string path = section.name.empty() ? "" : std::string(section.name) + ".";
            path += setting.key;
            std::string single = path, right;
            std::replace(single.begin(), single.end(), '.', '_');
            for (const char c : path) right += c == '.' ? std::string("__") : std::string(1, c);
            if (single == name && single != right) return variable(right);
        }
    }
    return variable(nearest(name, {"data_dir", "plugin_dirs", "plugin_pins"}));
}

void overlay_environment(Node& root, const LoadArgs& args, Reading& reading) {
    const std::set<std::string> top = {"data_dir", "plugin_dirs", "plugin_pins", "dev"};
    for (const auto& [name, value] : args.environment) {
        if (name.substr(0, kPrefix.size()) != kPrefix) continue;
        const std::string rest = name.substr(kPrefix.size());
        // Variables without "__" are only ours if they are a key: container platforms set BELFRY_PORT and the like.
        if (rest.find("__") == std::string::npos && !top.contains(lower(rest))) {
            const std::string meant = meant_variable(lower(rest));
            if (meant != kPrefix) reading.complain("environment " + name, "is not read; did you mean " + meant + "?");
            continue;
        }
        put(root, path_of_variable(root, rest), read_loose(value, "environment " + name));
    }
}

void overlay_sets(Node& root, const LoadArgs& args, Reading& reading) {
    for (const std::string& set : args.sets) {
        const size_t equals = set.find('=');
        if (equals == std::string::npos || equals == 0) {
            reading.complain("--set " + set, "must be key=value, for example --set http.listen=127.0.0.1:9000");
            continue;
        }
        const std::string key = set.substr(0, equals);
        std::vector<std::string> path;
        for (size_t at = 0; at <= key.size();) {
            const size_t dot = std::min(key.find('.', at), key.size());
            path.push_back(key.substr(at, dot - at));
            at = dot + 1;
        }
        put(root, path, read_loose(set.substr(equals + 1), "--set " + key));
    }
}

// What is wrong with an address to serve at; empty if nothing.
std::string wrong_listen(const std::string& listen) {
    constexpr std::string_view kUnix = "unix:";
    if (listen.rfind(kUnix, 0) == 0) {
        const size_t size = listen.size() - kUnix.size();
        if (size == 0) return "names no socket; write unix:/run/belfry/api.sock";
        return size < sizeof(sockaddr_un::sun_path) ? "" : "is too long: a socket's path has at most 107 bytes";
    }
    const size_t colon = listen.rfind(':');
    if (colon == std::string::npos) return "has no port; write host:port, for example " + listen + ":8000";
    const std::string host = listen.substr(0, colon), port = listen.substr(colon + 1);
    if (host.empty())
        return "has no host; write 127.0.0.1:" + port + " for this machine alone, 0.0.0.0:" + port + " for everybody";
    if (host.find(':') != std::string::npos && (host.front() != '[' || host.back() != ']'))
        return "is no host:port; an IPv6 address stands in brackets: [::1]:8000";
    const bool number = !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos;
    if (!number || std::stoi(port) > 65535) return "has no port between 0 and 65535";
    return {};
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

bool usable_name(const std::string& name) {
    return !name.empty() && name.size() <= kNameBytesMax && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
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
        settle_proxies();
        for (const AppConfig& app : config_.apps) check_app(app);
        for (const auto& [plugin, sum] : config_.plugin_pins) {
            if (sum.size() == 64 && sum.find_first_not_of("0123456789abcdef") == std::string::npos) continue;
            reading_.complain(
                config_.file.empty() ? "plugin_pins" : config_.file,
                "plugin_pins." + plugin + " must be 64 small hexadecimal digits, as sha256sum prints them");
        }
        check_keys();
        check_tls();
        if (const std::string wrong = wrong_listen(config_.http.listen); !wrong.empty())
            reading_.complain(config_.file.empty() ? "http.listen" : config_.file,
                              "http.listen = \"" + config_.http.listen + "\" " + wrong);
        if (config_.delivery.retry_base_ms > config_.delivery.retry_max_ms)
            reading_.complain(config_.file.empty() ? "delivery" : config_.file,
                              "delivery.retry_base_ms (" + std::to_string(config_.delivery.retry_base_ms) +
                                  ") is more than delivery.retry_max_ms (" +
                                  std::to_string(config_.delivery.retry_max_ms) + ")");
    }

    // Each provider gets the proxy it uses; credentials never go to another proxy than their own.
    void settle_proxies() {
        check_proxy(config_.proxy, "proxy", config_.file.empty() ? "proxy" : config_.file);
        if (config_.proxy.url == ProxyConfig::kDirect) config_.proxy.url.clear();
        for (ComponentConfig& provider : config_.providers) {
            ProxyConfig& proxy = provider.proxy;
            check_proxy(proxy, "providers." + provider.instance + ".proxy", provider.origin);
            if (proxy.url.empty()) {
                proxy = config_.proxy;
            } else if (proxy.url == ProxyConfig::kDirect) {
                proxy = {};
            } else {
                proxy.looks_up_names = config_.proxy.looks_up_names;
            }
        }
    }

    void check_proxy(const ProxyConfig& proxy, const std::string& key, const std::string& origin) {
        const bool usable = proxy.url.empty() || proxy.url == ProxyConfig::kDirect ||
                            (proxy.url.rfind("http://", 0) == 0 && proxy.url.find('@') == std::string::npos);
        if (!usable)
            reading_.complain(origin, key + ".url must be http://host:port, with " + key + ".user and " + key +
                                          ".password beside it");
        if (proxy.user.empty() && !proxy.password.empty())
            reading_.complain(origin, key + ".password is for nobody; give " + key + ".user, too");
        if (proxy.url.empty() && (!proxy.user.empty() || !proxy.password.empty()))
            reading_.complain(origin, key + ".user and " + key + ".password need " + key + ".url beside them");
    }

    void check_tls() {
        if (config_.http.tls_cert.empty() == config_.http.tls_key.empty()) return;
        const std::string given = config_.http.tls_cert.empty() ? "key" : "cert";
        reading_.complain(config_.file,
                          "http.tls." + given + " alone serves nothing; give tls = { cert = \"...\", key = \"...\" }");
    }

    void check_app(const AppConfig& app) {
        for (const auto& [wire, instance] : app.providers) {
            if (!usable_name(wire)) {
                reading_.complain(app.origin, "apps." + app.name + ".providers." + wire +
                                                  ": a wire name has 1 to 64 letters, digits, '_' or '-'");
            }
        }
        // An app that nobody can use may stay ambiguous: with apps configured that is often "default".
        if (app.keys.empty() && config_.apps.size() > 1) return;
        const Result<std::vector<WireName>> names = wire_names(config_, app);
        if (!names) reading_.complain(names.error().where, names.error().message);
    }

    void check_keys() {
        std::map<std::string, std::string> seen;
        size_t n = 0;
        const auto note = [&](const ApiKey& key) {
            const auto [it, fresh] = seen.emplace(key.key.reveal(), key.name);
            if (!fresh) {
                reading_.complain(key.origin, "the API keys \"" + it->second + "\" and \"" + key.name +
                                                  "\" are the same text; give each its own");
            }
        };
        for (const ApiKey& key : config_.admin.keys) note(key);
        for (const AppConfig& app : config_.apps) {
            n += app.keys.size();
            for (const ApiKey& key : app.keys) note(key);
        }
        if (n == 0 && !config_.file.empty() && args_.need_secrets && reading_.findings.empty()) {
            reading_.complain(config_.file,
                              "no API key is configured; add [api] keys = [ { name = \"backend\", key = { env = "
                              "\"BELFRY_API_KEY\" } } ]");
        }
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

std::vector<std::string> admin_keys(const Config& config) {
    std::vector<std::string> keys;
    for (const ApiKey& key : config.admin.keys) keys.push_back(key.key.reveal());
    if (!keys.empty() || config.apps.size() != 1) return keys;
    for (const ApiKey& key : config.apps.front().keys) keys.push_back(key.key.reveal());
    return keys;
}

std::vector<std::string> changed_settings(Config a, Config b) {
    std::vector<std::string> changed;
    const std::vector<Section> before = fixed_sections(a);
    const std::vector<Section> after = fixed_sections(b);
    const auto same = [](const Slot& one, const Slot& other) {
        return std::visit(
            [&](const auto* left) {
                using Field = std::remove_cv_t<std::remove_pointer_t<decltype(left)>>;
                if constexpr (std::is_same_v<Field, std::vector<ApiKey>> || std::is_same_v<Field, Secret>)
                    return true;
                else
                    return *left == *std::get<Field*>(other);
            },
            one);
    };
    for (size_t i = 0; i < before.size(); ++i) {
        for (size_t k = 0; k < before[i].settings.size(); ++k) {
            const Setting& setting = before[i].settings[k];
            if (same(setting.slot, after[i].settings[k].slot)) continue;
            changed.push_back((before[i].name.empty() ? "" : std::string(before[i].name) + ".") +
                              std::string(setting.key));
        }
    }
    return changed;
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
    overlay_environment(root, args, reading);
    overlay_sets(root, args, reading);
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
