// SPDX-License-Identifier: Apache-2.0
#include "serve/config_check.h"

#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>

#include "api/server.h"
#include "http/endpoint_table.h"
#include "plugins/component.h"
#include "plugins/generation.h"
#include "plugins/isolated.h"
#include "serve/component_specs.h"
#include "serve/idle_host.h"
#include "serve/process.h"

namespace belfry::serve {

namespace {

constexpr std::chrono::milliseconds kSectionMax{30'000};  // its plugin's own probe included
constexpr int64_t kStartMaxNs = 10 * kNsPerSecond;

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

// Endpoints are looked at as the engine would, with their proxies and CA files; nothing is sent.
class UncalledHttp final : public services::HttpCalls {
public:
    explicit UncalledHttp(Metrics& metrics) : endpoints_(1, metrics) {}
    Result<http::EndpointId> add_endpoint(const http::EndpointConfig& endpoint) override {
        return endpoints_.add(endpoint, false, 0);
    }
    Result<http::CallAnswer> call(http::EndpointId, const http::CallRequest&, int64_t) override {
        return error(ErrorCode::Unavailable, "a check of the configuration calls nobody");
    }

private:
    http::EndpointTable endpoints_;
};

// Of a cluster that has just begun, and forgets everything.
class EmptyState final : public services::ClusterState {
public:
    Result<std::optional<services::StoredState>> get(std::string_view) override { return {std::nullopt}; }
    Status cas(std::string_view, int64_t, std::optional<std::string_view>) override { return {}; }
};

// What plugins see while they are tried out.
class TrialHost {
public:
    explicit TrialHost(const std::filesystem::path& folder)
        : services_({log_, metrics_, clock_, http_, folder / "state"}) {
        services_.set_cluster_state(&state_);
    }
    plugins::HostFactory& hosts() { return hosts_; }
    Log& log() { return log_; }
    const Clock& clock() const { return clock_; }

private:
    SilentLog log_;
    UnseenMetrics metrics_;
    SystemClock clock_;
    UncalledHttp http_{metrics_};
    EmptyState state_;
    services::HostServices services_;
    PluginHosts hosts_{services_};
};

Status create(TrialHost& host, const plugins::PreparedComponent& prepared) {
    plugins::HostRequest request;
    request.instance = prepared.instance;
    request.plugin = prepared.plugin->manifest.id;
    request.kind = prepared.component->kind;
    request.settings = prepared.settings;
    request.read_secret = [](std::string_view) -> Result<std::string> {
        return error(ErrorCode::NotFound, "secrets are read in start");
    };
    const std::unique_ptr<plugins::InstanceHost> made_for = host.hosts().make(std::move(request));
    const Result<plugins::InstancePtr> made = plugins::create_instance(
        prepared.plugin->table, made_for->abi(), prepared.component->name, prepared.config, prepared.instance);
    return made ? Status() : made.error();
}

Status create_and_start(TrialHost& host, const plugins::PreparedComponent& prepared) {
    const Result<std::unique_ptr<plugins::Generation>> started =
        plugins::Generation::begin(prepared, host.hosts(), std::make_shared<plugins::Faults>(prepared.instance), 1,
                                   host.clock().mono_ns() + kStartMaxNs);
    // Trouble that passes is not the configuration's: the plugin may have wanted to call out.
    return started || plugins::may_pass(started.error().code) ? Status() : started.error();
}

// What is wrong, behind the section's name; empty: nothing.
std::string finding_of(plugins::Loader& loader, TrialHost& host, const plugins::ComponentSpec& spec, bool starts) {
    const std::string section = plugins::section_name(spec.kind, spec.instance);
    const Result<plugins::PreparedComponent> prepared = plugins::prepare_component(loader, spec);
    if (!prepared) {
        const std::string line = prepared.error().to_string();
        return line.starts_with(section) ? line : section + ": " + line;
    }
    const Status tried = starts ? create_and_start(host, *prepared) : create(host, *prepared);
    if (tried) return {};
    const std::string& where = tried.error().where;
    const bool key = where.find(' ') == std::string::npos;  // else words: "endpoint https://..."
    return section + (where.empty() ? "" : (key ? " /" : " ") + where) + ": " + tried.error().message;
}

// The same where a plugin that falls over its section takes only a child with it.
std::string isolated_finding_of(plugins::Loader& loader, TrialHost& host, const plugins::ComponentSpec& spec,
                                bool starts) {
    const Result<std::string> said =
        plugins::in_child([&] { return finding_of(loader, host, spec, starts); }, kSectionMax);
    if (said) return *said;
    const std::string section = plugins::section_name(spec.kind, spec.instance);
    if (said.error().code == ErrorCode::Unavailable) return section + ": " + said.error().message;
    return section + ": plugin \"" + spec.plugin + "\" " + said.error().message +
           " over this section; report it to the plugin's author";
}

// Secrets that could not be read are findings already.
bool has_all_secrets(const config::ComponentConfig& component) {
    return std::none_of(component.secrets.begin(), component.secrets.end(),
                        [](const config::PluginSecret& secret) { return secret.value.source().empty(); });
}

void check_sections(const config::Config& config, std::vector<std::string>& findings) {
    const CopyFolder copies(config.data_dir);
    TrialHost host(copies.path());
    plugins::Loader loader(loader_options(config, copies.path()), host.hosts(), host.log());
    const auto check = [&](const config::ComponentConfig& component, plugins::Kind kind) {
        if (component.implied) return;
        const bool starts = kind == plugins::Kind::Provider && has_all_secrets(component);
        const std::string wrong = isolated_finding_of(loader, host, spec_of(config, component, kind), starts);
        if (!wrong.empty()) findings.push_back(component.origin + ": " + wrong);
    };
    check(config.storage, plugins::Kind::Storage);
    check(config.queue, plugins::Kind::Queue);
    for (const config::ComponentConfig& provider : config.providers) check(provider, plugins::Kind::Provider);
}

}  // namespace

std::vector<std::string> check_configuration(const config::Config& config) {
    std::vector<std::string> findings;
    const auto note = [&](const std::string& key, const Status& checked) {
        if (!checked)
            findings.push_back((config.file.empty() ? key : config.file) + ": " + checked.error().to_string());
    };
    note("data_dir", DataDir::check(config.data_dir));
    const bool half = config.http.tls_cert.empty() != config.http.tls_key.empty();  // a finding already
    if (!half) note("http.tls", api::Server::check(server_options(config, {}), SystemClock()));
    check_sections(config, findings);
    return findings;
}

}  // namespace belfry::serve
