// SPDX-License-Identifier: Apache-2.0
#include "serve/meeting_points.h"

#include <belfry/abi.hpp>

#include <memory>
#include <utility>

namespace belfry::serve {

namespace {

// Cluster keys of plugins stand beside the host's own in the storage.
std::string cluster_key(std::string_view key) {
    return "plugin/" + std::string(key);
}

}  // namespace

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
        return error(ErrorCode::Unavailable, "provider \"" + instance +
                                                 "\" is not running, so its tokens cannot be checked; try again later, "
                                                 "and see /health for what an operator must mend");
    }
    auto asked = sized<belfry_token>();
    asked.token = str(token);
    asked.platform = str(platform);
    return generation->provider().validate(asked);
}

}  // namespace belfry::serve
