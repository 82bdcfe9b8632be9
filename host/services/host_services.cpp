// SPDX-License-Identifier: Apache-2.0
#include "services/host_services.h"

#include <algorithm>
#include <cmath>

#include "services/tables.h"

namespace belfry::services {
namespace {

const void* service_of(const belfry_host* host, belfry_str id) noexcept {
    struct Service {
        std::string_view id;
        const void* table;
    };
    static constexpr Service kServices[] = {
        {BELFRY_LOG_ID, &kLogTable},       {BELFRY_METRICS_ID, &kMetricsTable}, {BELFRY_CLOCK_ID, &kClockTable},
        {BELFRY_HTTP_ID, &kHttpTable},     {BELFRY_CRYPTO_ID, &kCryptoTable},   {BELFRY_JSON_ID, &kJsonTable},
        {BELFRY_SECRET_ID, &kSecretTable}, {BELFRY_STATE_ID, &kStateTable},
    };
    if (InstanceHost::of(host).settings().log_only && view(id) != BELFRY_LOG_ID) return nullptr;
    for (const Service& service : kServices) {
        if (service.id == view(id)) return service.table;
    }
    return nullptr;
}

// "plugin_fcm_": a plugin's id may have characters that metric names may not.
std::string metric_prefix(std::string_view plugin) {
    std::string prefix = "plugin_";
    for (const char c : plugin) prefix.push_back((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_');
    return prefix + "_";
}

}  // namespace

HostServices::HostServices(Parts parts) : parts_(std::move(parts)), node_(parts_.state_dir) {}

std::unique_ptr<InstanceHost> HostServices::make(InstanceSettings settings) {
    return std::make_unique<InstanceHost>(*this, std::move(settings));
}

InstanceHost::InstanceHost(HostServices& services, InstanceSettings settings)
    : services_(services),
      settings_(std::move(settings)),
      log_source_("plugin " + settings_.name),
      handle_{{static_cast<uint32_t>(sizeof(belfry_host)), BELFRY_ABI_MINOR, &service_of}, this} {}

InstanceHost& InstanceHost::of(const belfry_host* host) noexcept {
    return *static_cast<const Handle*>(static_cast<const void*>(host))->self;
}

int32_t InstanceHost::define_metric(bool gauge, std::string_view name, std::string_view help) {
    const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
    if (name.empty() || name.size() > 64 || !std::all_of(name.begin(), name.end(), allowed)) return -1;
    const std::lock_guard lock(mutex_);
    const uint32_t n = metrics_n_.load();
    for (uint32_t i = 0; i < n; ++i) {
        if (metrics_[i].name == name) return metrics_[i].gauge == gauge ? static_cast<int32_t>(i) : -1;
    }
    if (n == metrics_.size()) return -1;
    Metrics& registry = services_.parts_.metrics;
    const std::string full = metric_prefix(settings_.plugin) + std::string(name);
    const MetricLabels labels = {{"instance", settings_.name}};
    metrics_[n] = {std::string(name), gauge,
                   gauge ? &registry.gauge(full, help, labels) : &registry.counter(full, help, labels)};
    metrics_n_.store(n + 1);
    return static_cast<int32_t>(n);
}

void InstanceHost::record(int32_t handle, double value) noexcept {
    if (handle < 0 || static_cast<uint32_t>(handle) >= metrics_n_.load() || !std::isfinite(value)) return;
    const DefinedMetric& defined = metrics_[static_cast<size_t>(handle)];
    if (defined.gauge) {
        defined.metric->set(value);
    } else if (value > 0) {
        defined.metric->add(value);
    }
}

void InstanceHost::saw_certificate(int64_t not_after_unix_ms) {
    const std::lock_guard lock(mutex_);
    seen_.certificate_until_unix_ms = not_after_unix_ms;
}

void InstanceHost::saw_date(int64_t date_unix_ms) {
    const std::lock_guard lock(mutex_);
    seen_.clock_skew_ms = clock().unix_ms() - date_unix_ms;
    seen_.clock_seen_mono_ns = clock().mono_ns();
}

// "the subject names no host (subject=mailto:me)"
void InstanceHost::saw_warning(std::string_view event, const LogField* fields, size_t n) {
    if (started_.load(std::memory_order_relaxed)) return;
    std::string text(event);
    for (size_t i = 0; i < n; ++i)
        text.append(i == 0 ? " (" : ", ").append(fields[i].name).append("=").append(fields[i].value);
    if (n > 0) text += ")";
    const std::lock_guard lock(mutex_);
    if (seen_.warnings.size() < kInstanceWarningsMax) seen_.warnings.push_back(std::move(text));
}

SeenCredentials InstanceHost::seen_credentials() const {
    const std::lock_guard lock(mutex_);
    return seen_;
}

Result<http::EndpointId> InstanceHost::add_endpoint(http::EndpointConfig endpoint) {
    endpoint.ca_file = settings_.ca_file;
    endpoint.proxy = settings_.proxy;
    endpoint.plain_loopback = settings_.plain_loopback;
    if (settings_.connections_max != 0) endpoint.connections_max = settings_.connections_max;
    const std::lock_guard lock(mutex_);
    if (endpoints_.size() >= kInstanceEndpointsMax) {
        return error(ErrorCode::Busy,
                     "an instance has at most " + std::to_string(kInstanceEndpointsMax) + " endpoints");
    }
    auto id = http().add_endpoint(endpoint);
    if (id && std::find(endpoints_.begin(), endpoints_.end(), *id) == endpoints_.end()) endpoints_.push_back(*id);
    return id;
}

bool InstanceHost::owns_endpoint(http::EndpointId id) const {
    const std::lock_guard lock(mutex_);
    return std::find(endpoints_.begin(), endpoints_.end(), id) != endpoints_.end();
}

belfry_code code_of(ErrorCode code) noexcept {
    switch (code) {
        case ErrorCode::InvalidArgument:
            return BELFRY_BAD_REQUEST;
        case ErrorCode::NotFound:
            return BELFRY_NOT_FOUND;
        case ErrorCode::Conflict:
            return BELFRY_CONFLICT;
        case ErrorCode::Unauthenticated:
            return BELFRY_AUTH;
        case ErrorCode::Misconfigured:
            return BELFRY_CONFIG;
        case ErrorCode::Busy:
            return BELFRY_BUSY;
        case ErrorCode::Unavailable:
            return BELFRY_RETRY_LATER;
        case ErrorCode::DeadlineExceeded:
            return BELFRY_DEADLINE;
        case ErrorCode::TooLarge:
            return BELFRY_TOO_LARGE;
        case ErrorCode::Unsupported:
            return BELFRY_UNSUPPORTED;
        case ErrorCode::StoreFull:
            return BELFRY_STORE_FULL;
        case ErrorCode::Corrupt:
            return BELFRY_CORRUPT;
        case ErrorCode::Cancelled:
            return BELFRY_STOPPED;
        case ErrorCode::Internal:
            return BELFRY_INTERNAL;
    }
    return BELFRY_INTERNAL;
}

belfry_code refuse(belfry_why* why, const Error& error) noexcept {
    if (why != nullptr) {
        why->retry_after_ms = static_cast<uint32_t>(std::clamp<int64_t>(error.retry_after_ms, 0, UINT32_MAX));
    }
    return because(why, code_of(error.code), error.where, error.message);
}

}  // namespace belfry::services
