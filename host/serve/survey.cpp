// SPDX-License-Identifier: Apache-2.0
#include "serve/survey.h"

#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <system_error>

#include "plugins/component.h"
#include "plugins/isolated.h"
#include "serve/component_specs.h"
#include "serve/idle_host.h"

namespace belfry::serve {

namespace {

constexpr std::chrono::milliseconds kSectionMax{30'000};  // its plugin's own probe included

// A survey makes no instance.
class NoHosts final : public plugins::HostFactory {
public:
    std::unique_ptr<plugins::InstanceHost> make(plugins::HostRequest) override { return nullptr; }
};

// Where a check keeps private copies of plugins: beside the server's own if it may write there, since temporary folders
// are often mounted noexec.
class CopyFolder {
public:
    explicit CopyFolder(const std::string& data_dir) {
        for (const std::filesystem::path& folder :
             {std::filesystem::path(data_dir), std::filesystem::temp_directory_path()}) {
            path_ = (folder / ".belfry-check-XXXXXX").string();
            made_ = ::mkdtemp(path_.data()) != nullptr;
            if (made_) return;
        }
    }
    ~CopyFolder() {
        std::error_code ignored;
        if (made_) std::filesystem::remove_all(path_, ignored);
    }
    CopyFolder(const CopyFolder&) = delete;
    CopyFolder& operator=(const CopyFolder&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_;
    bool made_ = false;
};

// Checks a section as the server would: by the plugin's schema, then by the plugin itself, whose create does no I/O.
// The answer is what is wrong, behind the section's name; empty: nothing.
std::string finding_of(plugins::Loader& loader, plugins::HostFactory& hosts, const plugins::ComponentSpec& spec) {
    const std::string section = plugins::section_name(spec.kind, spec.instance);
    const Result<plugins::PreparedComponent> prepared = plugins::prepare_component(loader, spec);
    if (!prepared) {
        const std::string line = prepared.error().to_string();
        return line.starts_with(section) ? line : section + ": " + line;
    }
    plugins::HostRequest request;
    request.instance = spec.instance;
    request.plugin = prepared->plugin->manifest.id;
    request.kind = spec.kind;
    request.settings = prepared->settings;
    request.read_secret = [](std::string_view) -> Result<std::string> {
        return error(ErrorCode::NotFound, "secrets are read in start");
    };
    const std::unique_ptr<plugins::InstanceHost> host = hosts.make(std::move(request));
    const Result<plugins::InstancePtr> made = plugins::create_instance(
        prepared->plugin->table, host->abi(), prepared->component->name, prepared->config, spec.instance);
    if (made) return {};
    const std::string& where = made.error().where;
    return section + (where.empty() ? "" : " /" + where) + ": " + made.error().message;
}

// The same where a plugin that falls over its section takes only a child with it.
std::string isolated_finding_of(plugins::Loader& loader, plugins::HostFactory& hosts,
                                const plugins::ComponentSpec& spec) {
    const Result<std::string> said = plugins::in_child([&] { return finding_of(loader, hosts, spec); }, kSectionMax);
    if (said) return *said;
    const std::string section = plugins::section_name(spec.kind, spec.instance);
    if (said.error().code == ErrorCode::Unavailable) return section + ": " + said.error().message;
    return section + ": plugin \"" + spec.plugin + "\" " + said.error().message +
           " over this section; report it to the plugin's author";
}

}  // namespace

std::vector<plugins::PluginInfo> survey_plugins(const config::Config& config) {
    IdleHost idle;
    NoHosts hosts;
    return plugins::Loader(loader_options(config, config.data_dir), hosts, idle.log()).list(false);
}

std::vector<std::string> check_sections(const config::Config& config) {
    IdleHost idle;
    const CopyFolder copies(config.data_dir);
    plugins::Loader loader(loader_options(config, copies.path()), idle.hosts(), idle.log());
    std::vector<std::string> findings;
    const auto check = [&](const config::ComponentConfig& component, plugins::Kind kind) {
        if (component.implied) return;
        const std::string wrong = isolated_finding_of(loader, idle.hosts(), spec_of(config, component, kind));
        if (!wrong.empty()) findings.push_back(component.origin + ": " + wrong);
    };
    check(config.storage, plugins::Kind::Storage);
    check(config.queue, plugins::Kind::Queue);
    for (const config::ComponentConfig& provider : config.providers) check(provider, plugins::Kind::Provider);
    return findings;
}

}  // namespace belfry::serve
