// SPDX-License-Identifier: Apache-2.0
#include "serve/reload.h"

#include <algorithm>
#include <utility>

#include "serve/component_specs.h"
#include "serve/process.h"

namespace belfry::serve {

namespace {

constexpr int64_t kGenerationStartMs = 10'000;

// A section names its secrets only; a password behind a file or variable changes without it.
bool differs(const config::ComponentConfig& a, const config::ComponentConfig& b) {
    const auto same = [](const config::PluginSecret& one, const config::PluginSecret& other) {
        return one.id == other.id && one.value.reveal() == other.value.reveal();
    };
    return a.plugin != b.plugin || a.section != b.section ||
           !std::equal(a.secrets.begin(), a.secrets.end(), b.secrets.begin(), b.secrets.end(), same);
}

}  // namespace

void Reload::run() {
    ok_.set(apply() ? 1 : 0);
    time_.set(static_cast<double>(clock_.unix_ms()) / 1000);
}

bool Reload::apply() {
    config::LoadArgs args;
    args.file = started_with_.file;
    args.data_dir = started_with_.given_data_dir;
    args.sets = started_with_.sets;
    args.environment = config::process_environment();
    args.search_default_files = false;
    Result<config::Config> fresh = config::load(args);
    if (!fresh) {
        log_.error("configuration not reloaded, everything stays as it was", {{"error", fresh.error().to_string()}});
        return false;
    }
    // What is in use stays in use; the rest of this is about where that is.
    const std::string wanted_data_dir = std::exchange(fresh->data_dir, started_with_.data_dir);
    bool good = apply_keys(*fresh);
    good = reload_certificate(fresh->http) && good;
    if (const auto level = telemetry::log_level_of(fresh->log.level)) lines_.set_level(*level);
    good = apply_providers(*fresh) && good;
    if (cleanup_ != nullptr) cleanup_->set_apps(app_names(*fresh));
    fresh->data_dir = wanted_data_dir;
    name_what_needs_a_restart(*fresh);
    log_.info("configuration reloaded", {{"file", fresh->file}});
    return good;
}

// All or nothing: a set that lacks a key locks its holders out.
bool Reload::apply_keys(config::Config& fresh) {
    if (config::wants_embedded_key(fresh)) {
        const Result<config::EmbeddedKey> key = config::add_embedded_key(fresh);
        if (!key) {
            log_.error("API key of embedded mode not read", {{"error", key.error().to_string()}});
            return false;
        }
    }
    const Result<api::Keys> keys = api_keys(fresh);
    if (keys) {
        server_.set_keys(*keys);
    } else {
        log_.error("API keys not reloaded", {{"error", keys.error().to_string()}});
    }
    return keys.has_value();
}

bool Reload::reload_certificate(const config::HttpConfig& fresh) {
    if (!started_with_.http.speaks_tls() || !fresh.speaks_tls()) return true;
    const Status read = server_.set_tls({fresh.tls_cert, fresh.tls_key});
    if (!read) log_.error("certificate not reloaded, the old one stays", {{"error", read.error().to_string()}});
    return read.has_value();
}

bool Reload::apply_providers(const config::Config& fresh) {
    bool good = true;
    for (const config::ComponentConfig& provider : fresh.providers) {
        if (stop_is_pending()) return false;
        if (instances_.find(provider.instance) == nullptr) {
            log_.warning("a new provider needs a restart", {{"provider", provider.instance}});
            continue;
        }
        good = apply_provider(fresh, provider) && good;
    }
    return good;
}

bool Reload::apply_provider(const config::Config& fresh, const config::ComponentConfig& provider) {
    const auto unchanged =
        waits_for_operator(provider.instance) ? plugins::Unchanged::Replace : plugins::Unchanged::Keep;
    const Result<plugins::Reloaded> made =
        instances_.reload(spec_of(fresh, provider, plugins::Kind::Provider), {}, kGenerationStartMs, unchanged);
    if (!made && provider.implied) return true;  // nobody asked for it; /health says why it does not run
    if (!made) {
        log_.error("provider not reloaded, it goes on as it was",
                   {{"provider", provider.instance}, {"error", made.error().to_string()}});
        return false;
    }
    if (*made == plugins::Reloaded::Kept) {
        core_.set_rate(provider.instance, static_cast<uint64_t>(provider.per_minute));
        log_.info("provider is as configured, left alone", {{"provider", provider.instance}});
    }
    return true;
}

// Then the reload is the operator's word that something was mended, maybe at the provider's.
bool Reload::waits_for_operator(const std::string& provider) const {
    const std::vector<delivery::ProviderStatus> all = core_.providers();
    return std::any_of(all.begin(), all.end(),
                       [&](const auto& status) { return status.name == provider && status.operator_must_act; });
}

void Reload::name_what_needs_a_restart(const config::Config& fresh) {
    if (differs(fresh.storage, started_with_.storage)) log_.warning("a change of [storage] needs a restart");
    if (differs(fresh.queue, started_with_.queue)) log_.warning("a change of [queue] needs a restart");
    for (const std::string& key : config::changed_settings(started_with_, fresh)) {
        const bool applied =
            key == "log.level" || key.rfind("proxy.", 0) == 0 ||
            (key.rfind("http.tls.", 0) == 0 && fresh.http.speaks_tls() && started_with_.http.speaks_tls());
        if (!applied) log_.warning("a changed setting needs a restart", {{"setting", key}});
    }
    for (const config::ComponentConfig& provider : started_with_.providers) {
        const bool kept = std::any_of(fresh.providers.begin(), fresh.providers.end(),
                                      [&](const auto& other) { return other.instance == provider.instance; });
        if (!kept) log_.warning("a removed provider runs on until a restart", {{"provider", provider.instance}});
    }
}

}  // namespace belfry::serve
