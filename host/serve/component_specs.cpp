// SPDX-License-Identifier: Apache-2.0
#include "serve/component_specs.h"

#include <filesystem>
#include <memory>

#include "config/wire_names.h"
#include "serve/version.h"

namespace belfry::serve {

plugins::ComponentSpec spec_of(const config::Config& config, const config::ComponentConfig& component,
                               plugins::Kind kind) {
    plugins::ComponentSpec spec;
    spec.instance = component.instance;
    spec.plugin = component.plugin;
    spec.kind = kind;
    spec.section = component.section;
    for (const config::PluginSecret& secret : component.secrets) {
        spec.secrets.emplace_back(secret.id, secret.value.reveal());
    }
    spec.folder = config.file.empty() ? std::filesystem::current_path().string()
                                      : std::filesystem::absolute(config.file).parent_path().string();
    spec.loose = {component.loose, config.current};
    spec.settings.per_minute = component.per_minute;
    spec.settings.connections_max = component.max_connections;
    spec.settings.ca_file = component.ca_file;
    spec.settings.plain_loopback = component.plain_loopback;
    spec.settings.proxy = {component.proxy.url, component.proxy.user, component.proxy.password.reveal(),
                           component.proxy.looks_up_names};
    spec.settings.critical = kind == plugins::Kind::Storage || kind == plugins::Kind::Queue;
    return spec;
}

plugins::LoaderOptions loader_options(const config::Config& config, const std::string& data_dir) {
    plugins::LoaderOptions options;
    options.dirs = config.plugin_dirs;
    options.data_dir = data_dir;
    options.dev = config.dev;
    options.pins = config.plugin_pins;
    options.host_version = kVersion;
    return options;
}

std::vector<std::string> app_names(const config::Config& config) {
    std::vector<std::string> names;
    for (const config::AppConfig& app : config.apps) names.push_back(app.name);
    return names;
}

Result<api::Keys> api_keys(const config::Config& config) {
    api::Keys keys;
    keys.admin = config::admin_keys(config);
    for (const config::AppConfig& configured : config.apps) {
        Result<std::vector<config::WireName>> names = config::wire_names(config, configured);
        if (!names) return names.error();
        auto app = std::make_shared<api::App>();
        app->name = configured.name;
        for (config::WireName& name : *names) {
            app->providers.push_back({std::move(name.wire), std::move(name.instance), name.canonical});
        }
        for (const config::ApiKey& key : configured.keys) keys.apps.push_back({key.key.reveal(), app});
    }
    return keys;
}

api::ServerOptions server_options(const config::Config& config, api::Keys keys) {
    api::ServerOptions options;
    options.listen = config.http.listen;
    options.threads_max = config.http.threads_max;
    options.idle_timeout_s = config.http.idle_timeout_s;
    options.request_timeout_s = config.http.request_timeout_s;
    if (config.http.speaks_tls()) options.tls = api::TlsFiles{config.http.tls_cert, config.http.tls_key};
    options.http.max_body_bytes = config.http.max_body_bytes;
    options.http.body_memory_bytes = config.http.body_memory_bytes;
    options.http.transport_errors = config.http.error_mode == "transport";
    options.keys = std::move(keys);
    return options;
}

}  // namespace belfry::serve
