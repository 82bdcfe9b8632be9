// SPDX-License-Identifier: Apache-2.0
#include "serve/survey.h"

#include <algorithm>

#include "plugins/component.h"
#include "plugins/schema.h"
#include "serve/component_specs.h"
#include "serve/version.h"

namespace belfry::serve {

namespace {

class SilentLog final : public Log {
public:
    bool enabled(LogLevel) const noexcept override { return false; }
    void write(LogLevel, std::string_view, std::string_view, std::initializer_list<LogField>) noexcept override {}
    void write(LogLevel, std::string_view, std::string_view, const LogField*, size_t) noexcept override {}
};

// A survey makes no instance.
class NoHosts final : public plugins::HostFactory {
public:
    std::unique_ptr<plugins::InstanceHost> make(plugins::HostRequest) override { return nullptr; }
};

using Plugins = std::vector<plugins::PluginInfo>;

// The component that the specification means, or why there is none.
Result<const plugins::Component*> component_of(const Plugins& all, const plugins::ComponentSpec& spec) {
    const size_t slash = std::min(spec.plugin.find('/'), spec.plugin.size());
    const std::string name = spec.plugin.substr(0, slash);
    const std::string wanted = slash < spec.plugin.size() ? spec.plugin.substr(slash + 1) : std::string();
    const auto plugin = std::find_if(all.begin(), all.end(), [&](const auto& info) { return info.name == name; });
    if (plugin == all.end()) {
        return error(ErrorCode::NotFound, "there is no plugin " + name + " in plugin_dirs; see belfry plugin list");
    }
    if (plugin->state == plugins::PluginInfo::State::Refused) {
        return error(ErrorCode::Misconfigured, "plugin " + name + " is refused: " + plugin->line);
    }
    const plugins::Component* found = nullptr;
    for (const plugins::Component& component : plugin->components) {
        if (component.kind != spec.kind || (!wanted.empty() && component.name != wanted)) continue;
        if (found) {
            return error(ErrorCode::Misconfigured,
                         "plugin " + name + " offers several; say which: plugin = \"" + name + "/<component>\"");
        }
        found = &component;
    }
    if (found) return found;
    return error(ErrorCode::Misconfigured, "plugin " + spec.plugin + " offers no " +
                                               std::string(plugins::name_of(spec.kind)) + "; name one that does");
}

Status check_section(const Plugins& all, plugins::ComponentSpec spec) {
    const Result<const plugins::Component*> component = component_of(all, spec);
    if (!component) return component.error();
    const Result<std::unique_ptr<const plugins::Schema>> schema = plugins::Schema::parse((*component)->schema);
    if (!schema) return schema.error();
    if (const Status split = plugins::split_host_keys(spec.kind, spec.folder, spec.section, spec.settings); !split) {
        return split;
    }
    plugins::SecretStore secrets;
    for (const auto& [id, value] : spec.secrets) secrets.add(id, value);
    const Result<plugins::CheckedSection> checked = (*schema)->check(spec.section, secrets, spec.folder);
    return checked ? Status() : Status(checked.error());
}

}  // namespace

std::vector<plugins::PluginInfo> survey_plugins(const config::Config& config) {
    SilentLog log;
    NoHosts hosts;
    plugins::LoaderOptions options;
    options.dirs = config.plugin_dirs;
    options.data_dir = config.data_dir;
    options.dev = config.dev;
    options.pins = config.plugin_pins;
    options.host_version = kVersion;
    return plugins::Loader(options, hosts, log).list(false);
}

std::vector<std::string> check_sections(const config::Config& config) {
    const Plugins all = survey_plugins(config);
    std::vector<std::string> findings;
    const auto check = [&](const config::ComponentConfig& component, plugins::Kind kind) {
        if (component.implied) return;
        const Status good = check_section(all, spec_of(config, component, kind));
        if (good) return;
        const std::string& where = good.error().where;
        findings.push_back(component.origin + ": " + plugins::section_name(kind, component.instance) +
                           (where.empty() ? "" : " " + where) + ": " + good.error().message);
    };
    check(config.storage, plugins::Kind::Storage);
    check(config.queue, plugins::Kind::Queue);
    for (const config::ComponentConfig& provider : config.providers) check(provider, plugins::Kind::Provider);
    for (const config::ComponentConfig& sink : config.sinks) check(sink, plugins::Kind::Sink);
    return findings;
}

}  // namespace belfry::serve
