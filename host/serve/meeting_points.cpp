// SPDX-License-Identifier: Apache-2.0
#include "serve/meeting_points.h"

#include <belfry/abi.hpp>

namespace belfry::serve {

namespace {

class PluginHost final : public plugins::InstanceHost {
public:
    explicit PluginHost(std::unique_ptr<services::InstanceHost> host) : host_(std::move(host)) {}
    const belfry_host* abi() const noexcept override { return host_->abi(); }

private:
    std::unique_ptr<services::InstanceHost> host_;
};

// Cluster keys of plugins stand beside the host's own in the storage.
std::string cluster_key(std::string_view key) {
    return "plugin/" + std::string(key);
}

}  // namespace

std::unique_ptr<plugins::InstanceHost> PluginHosts::make(plugins::HostRequest request) {
    services::InstanceSettings settings;
    settings.name = std::move(request.instance);
    settings.plugin = std::move(request.plugin);
    settings.ca_file = std::move(request.settings.ca_file);
    settings.connections_max = static_cast<uint32_t>(request.settings.connections_max);
    settings.read_secret = std::move(request.read_secret);
    settings.log_only = request.log_only;
    return std::make_unique<PluginHost>(services_.make(std::move(settings)));
}

Result<std::optional<services::StoredState>> StorageState::get(std::string_view key) {
    Result<plugins::KvValue> found = storage_.kv_get(cluster_key(key));
    if (!found) return found.error();
    if (found->version == 0) return std::optional<services::StoredState>{};
    return std::optional(services::StoredState{std::move(found->value), found->version});
}

Status StorageState::cas(std::string_view key, int64_t version, std::optional<std::string_view> value) {
    return value ? storage_.kv_put(cluster_key(key), *value, version) : storage_.kv_delete(cluster_key(key), version);
}

Result<plugins::CheckedToken> ProviderTokens::check(const std::string& instance, std::string_view platform,
                                                    std::string_view token) {
    plugins::Instance* found = instances_.find(instance);
    const std::shared_ptr<plugins::Generation> generation = found == nullptr ? nullptr : found->current();
    if (!generation) {
        return error(ErrorCode::Unavailable, "provider " + instance + " is not running; see /health", "provider");
    }
    auto asked = sized<belfry_token>();
    asked.token = str(token);
    asked.platform = str(platform);
    return generation->provider().validate(asked);
}

}  // namespace belfry::serve
