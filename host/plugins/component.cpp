// SPDX-License-Identifier: Apache-2.0
#include "plugins/component.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/json.h"
#include "plugins/fingerprint.h"

namespace belfry::plugins {

namespace {

using Json = nlohmann::json;

constexpr int64_t kPerMinuteMax = 1'000'000'000;
constexpr int64_t kConnectionsMax = 1024;

Error key_error(const std::string& pointer, const std::string& message) {
    return error(ErrorCode::Misconfigured, message, pointer);
}

// A key of the host, taken out of the section.
std::optional<Json> take(Json& section, const char* key) {
    const auto it = section.find(key);
    if (it == section.end()) return std::nullopt;
    Json value = std::move(*it);
    section.erase(it);
    return value;
}

Status take_number(Json& section, const char* key, const std::string& pointer, int64_t max, int64_t& into) {
    const std::optional<Json> value = take(section, key);
    if (!value) return {};
    if (!value->is_number_integer() || value->get<int64_t>() < 0 || value->get<int64_t>() > max)
        return key_error(pointer, "must be a whole number from 0 to " + std::to_string(max));
    into = value->get<int64_t>();
    return {};
}

Status take_rate(Json& section, HostSettings& settings) {
    std::optional<Json> rate = take(section, "rate");
    if (!rate) return {};
    if (!rate->is_object()) return key_error("/rate", "must be a table, like { per_minute = 600_000 }");
    if (const Status taken = take_number(*rate, "per_minute", "/rate/per_minute", kPerMinuteMax, settings.per_minute);
        !taken)
        return taken;
    if (rate->empty()) return {};
    return key_error("/rate/" + rate->begin().key(), "is not a known key; did you mean \"per_minute\"?");
}

Status take_ca_file(Json& section, const std::string& folder, HostSettings& settings) {
    const std::optional<Json> value = take(section, "ca_file");
    if (!value) return {};
    if (!value->is_string()) return key_error("/ca_file", "must be the path of a PEM file");
    const std::filesystem::path path = value->get<std::string>();
    settings.ca_file =
        (path.is_absolute() || folder.empty() ? path : (std::filesystem::path(folder) / path).lexically_normal())
            .string();
    return {};
}

Status take_provider_keys(Json& section, const std::string& folder, HostSettings& settings) {
    if (const Status taken = take_rate(section, settings); !taken) return taken;
    if (const Status taken =
            take_number(section, "max_connections", "/max_connections", kConnectionsMax, settings.connections_max);
        !taken)
        return taken;
    if (const Status taken = take_ca_file(section, folder, settings); !taken) return taken;
    if (take(section, "proxy"))
        return key_error("/proxy", "must be a table: { url = \"http://host:port\", user = ..., password = ... }");
    const std::optional<Json> isolation = take(section, "isolation");
    if (isolation && *isolation != "none")
        return key_error("/isolation",
                         "this version runs plugins in its own process only; remove the key or say \"none\"");
    return {};
}

const Component* pick(const Manifest& manifest, Kind kind, const std::string& wanted, size_t& candidates) {
    const Component* found = nullptr;
    candidates = 0;
    for (const Component& component : manifest.components) {
        if (component.kind != kind) continue;
        if (component.name == wanted) {
            candidates = 1;
            return &component;
        }
        ++candidates;
        found = &component;
    }
    return candidates == 1 ? found : nullptr;
}

Result<const Component*> component_for(const ComponentSpec& spec, const LoadedPlugin& plugin) {
    const size_t slash = spec.plugin.find('/');
    const bool explicit_name = slash != std::string::npos;
    const std::string wanted = explicit_name ? spec.plugin.substr(slash + 1) : plugin.name;
    size_t candidates = 0;
    const Component* found = pick(plugin.manifest, spec.kind, wanted, candidates);
    if (found != nullptr && (!explicit_name || found->name == wanted)) return found;
    const std::string kind(name_of(spec.kind));
    std::string offered;
    for (const Component& component : plugin.manifest.components)
        offered += (offered.empty() ? "" : ", ") + component.name + " (" + std::string(name_of(component.kind)) + ")";
    const std::string remedy =
        candidates > 1 ? "say which: plugin = \"" + plugin.name + "/<component>\"" : "name a plugin that does";
    return error(ErrorCode::Misconfigured,
                 "plugin \"" + spec.plugin + "\" " + (candidates > 1 ? "offers several of kind " : "offers no ") +
                     kind + ", it has " + offered + "; " + remedy,
                 section_name(spec.kind, spec.instance));
}

Error in_section(const ComponentSpec& spec, const Error& found) {
    Error placed = found;
    placed.where = section_name(spec.kind, spec.instance) + (found.where.empty() ? "" : " " + found.where);
    return placed;
}

}  // namespace

std::string section_name(Kind kind, const std::string& instance) {
    switch (kind) {
        case Kind::Storage:
            return "[storage]";
        case Kind::Queue:
            return "[queue]";
        case Kind::Provider:
            return "[providers." + instance + "]";
        case Kind::Sink:
            return "[sinks." + instance + "]";
    }
    return "[" + instance + "]";
}

Status split_host_keys(Kind kind, const std::string& folder, std::string& section, HostSettings& settings) {
    if (const json::Check check = json::check(section); !check)
        return error(ErrorCode::Misconfigured, "is not JSON: " + json::describe(section, check));
    try {
        Json root = Json::parse(section);
        if (!root.is_object()) return error(ErrorCode::Misconfigured, "must be a table of keys and values");
        take(root, "plugin");
        if (const std::optional<Json> critical = take(root, "critical")) {
            if (!critical->is_boolean()) return key_error("/critical", "must be true or false");
            settings.critical = critical->get<bool>();
        }
        if (kind == Kind::Provider) {
            if (const Status taken = take_provider_keys(root, folder, settings); !taken) return taken;
        }
        section = root.dump(-1, ' ', false, Json::error_handler_t::replace);
        return {};
    } catch (const Json::exception& e) {
        return error(ErrorCode::Misconfigured, std::string("cannot be read: ") + e.what());
    }
}

Result<PreparedComponent> prepare_component(Loader& loader, const ComponentSpec& spec) {
    const Result<std::shared_ptr<const LoadedPlugin>> plugin =
        loader.load(spec.plugin.substr(0, spec.plugin.find('/')));
    if (!plugin) return plugin.error();
    const Result<const Component*> component = component_for(spec, **plugin);
    if (!component) return component.error();
    PreparedComponent prepared;
    prepared.instance = spec.instance;
    prepared.plugin = *plugin;
    prepared.component = *component;
    prepared.settings = spec.settings;
    std::string section = spec.section;
    if (const Status split = split_host_keys(spec.kind, spec.folder, section, prepared.settings); !split)
        return in_section(spec, split.error());
    SecretStore given;
    for (const auto& [id, value] : spec.secrets) given.add(id, value);
    Result<CheckedSection> checked =
        (*plugin)->schemas.find((*component)->name)->second->check(section, given, spec.folder, spec.loose);
    if (!checked) return in_section(spec, checked.error());
    prepared.config = std::move(checked->config);
    prepared.secrets = std::make_shared<SecretStore>(std::move(checked->secrets));
    prepared.fingerprint = fingerprint_of(prepared, checked->paths);
    return prepared;
}

}  // namespace belfry::plugins
