// SPDX-License-Identifier: Apache-2.0
// Everything one can configure, as plain values. Filled once by load(); modules get their own option structs from main.
//
// Defaults stand here, in the structs. What a key is called, its bounds and its help stand in sections.cpp; that table
// drives reading, unknown-key errors and the reference page. Threads: [startup]. Not here: what plugins make of their
// sections (their JSON Schema), creation of files.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "config/secret.h"

namespace belfry::config {

struct HttpConfig {
    std::string listen = "127.0.0.1:8000";
    int64_t max_body_bytes = 32 << 20;
    std::string error_mode = "standard";
    int64_t threads_max = 256;
    int64_t body_memory_bytes = 64 << 20;
    int64_t idle_timeout_s = 75;
    int64_t request_timeout_s = 30;
    std::string tls_cert, tls_key;  // both or none

    bool speaks_tls() const noexcept { return !tls_cert.empty(); }
};

// An HTTP proxy on the way to providers.
struct ProxyConfig {
    std::string url;  // "http://host:port"; empty: none (of a provider: as in [proxy]); kDirect: none
    std::string user;
    Secret password;
    bool looks_up_names = false;  // of push services that come with a push

    static constexpr std::string_view kDirect = "direct";
};

struct LogConfig {
    std::string level = "info";
};

struct DeliveryConfig {
    int64_t attempts_max = 6;
    int64_t retry_base_ms = 2'000;
    int64_t retry_max_ms = 15 * 60'000;
    int64_t workers = 0;  // 0: one per core
};

struct DevicesConfig {
    int64_t max_inactive_days = 0;  // 0: devices are kept for ever
};

struct MetricsConfig {
    bool published_names = false;
};

struct ApiKey {
    std::string name;
    Secret key;
    std::string origin;  // "belfry.toml:9"
};

struct AdminConfig {
    std::vector<ApiKey> keys;  // empty: see admin_keys()
    std::string backup_dir;    // empty: backups below data_dir
};

struct AppConfig {
    std::string name;
    std::vector<ApiKey> keys;
    std::map<std::string, std::string>
        providers;  // as written: wire name -> instance; empty: by the rules of wire_names.h
    std::string origin;
};

struct PluginSecret {
    std::string id;  // what the section says as {"$secret": id}
    Secret value;
};

// One configured instance of a plugin: storage, queue or a provider.
struct ComponentConfig {
    std::string instance;  // "storage", "queue" or the section's name
    std::string plugin;
    std::string section = "{}";         // JSON for the plugin: without the host's own keys, secrets replaced
    std::vector<PluginSecret> secrets;  // those of the section
    std::vector<std::string> loose;     // JSON pointers of its texts from --set and environment: paths from `current`
    std::string origin;                 // where it is configured, for messages
    bool implied = false;               // nobody wrote it: embedded mode's own choice, may be left out
    int64_t per_minute = 0;             // providers: deliveries per minute; 0 = what the plugin suggests
    int64_t max_connections = 0;        // providers: per endpoint and loop; 0 = default
    std::string ca_file;                // providers: trust only these roots; empty = the system's
    bool plain_loopback = false;        // providers: http:// will do, on this machine
    ProxyConfig proxy;                  // providers: the one to use, after load(); without url: none
};

struct Config {
    std::string file;               // the file that was read; empty = none: embedded mode
    std::vector<std::string> sets;  // --set, for a reload
    std::string folder;             // where relative paths of the file, plugins' sections included, start; absolute
    std::string current;            // where all others start; absolute
    std::string given_data_dir;     // --data-dir, for a reload
    std::string data_dir = "./belfry-data";
    std::vector<std::string> plugin_dirs = {"/usr/lib/belfry/plugins"};
    bool dev = false;
    std::map<std::string, std::string> plugin_pins;  // plugin -> sha256 of its file, hex
    HttpConfig http;
    ProxyConfig proxy;
    LogConfig log;
    MetricsConfig metrics;
    DeliveryConfig delivery;
    DevicesConfig devices;
    AdminConfig admin;
    std::vector<AppConfig> apps;  // always has "default", first
    ComponentConfig storage, queue;
    std::vector<ComponentConfig> providers;
};

struct LoadArgs {
    std::string file;               // --config; empty: BELFRY_CONFIG, ./belfry.toml, /etc/belfry/belfry.toml, else none
    std::string data_dir;           // --data-dir
    std::vector<std::string> sets;  // --set key=value
    std::map<std::string, std::string> environment;  // all variables that begin with BELFRY_ and those secrets refer to
    bool search_default_files = true;
    // Clients of the API need only addresses and keys: secrets that cannot be read are then left empty instead of
    // refused.
    bool need_secrets = true;
};

// This process's environment.
std::map<std::string, std::string> process_environment();

// Reads file, environment and --set (the later wins) and checks everything that can be checked without plugins. Reads
// files, creates none. The error lists all findings, one per line: "belfry.toml:12: what, what to do".
Result<Config> load(const LoadArgs& args);

// Embedded mode (no file, no key configured): the key in data_dir/api-key, made on first use with mode 0600.
struct EmbeddedKey {
    std::string file;
    bool created = false;
};
inline constexpr std::string_view kEmbeddedKeyFile = "api-key";
inline constexpr std::string_view kDefaultApp = "default";
// True if nothing configures an API key and none is required to.
bool wants_embedded_key(const Config& config);
// Adds the key to the default app.
Result<EmbeddedKey> add_embedded_key(Config& config);

// Who may use /admin/: [admin] keys; without any the keys of the app "default" as long as it is the only app.
std::vector<std::string> admin_keys(const Config& config);

// The fixed settings that differ, secrets apart: "http.threads_max".
std::vector<std::string> changed_settings(Config a, Config b);

// The documented reference of all keys as Markdown; docs/configuration.md is this text.
std::string reference();

}  // namespace belfry::config
