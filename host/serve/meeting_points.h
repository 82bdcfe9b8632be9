// SPDX-License-Identifier: Apache-2.0
// Where modules meet that may not include each other: services and plugins, storage and services, providers and
// devices.
//
// Threads: as the interfaces they implement say. Owner: serve().
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "audience/registry.h"
#include "plugins/instances.h"
#include "plugins/storage.h"
#include "services/state.h"

namespace belfry::serve {

// Scope "cluster" of belfry.state/1 in the storage's key-value pairs.
class StorageState final : public services::ClusterState {
public:
    explicit StorageState(plugins::Storage& storage) : storage_(storage) {}
    Result<std::optional<services::StoredState>> get(std::string_view key) override;
    Status cas(std::string_view key, int64_t version, std::optional<std::string_view> value) override;

private:
    plugins::Storage& storage_;
};

// Tokens are judged by the provider instance that will send to them.
class ProviderTokens final : public audience::TokenCheck {
public:
    explicit ProviderTokens(plugins::Instances& instances) : instances_(instances) {}
    Result<plugins::CheckedToken> check(const std::string& instance, std::string_view platform,
                                        std::string_view token) override;

private:
    plugins::Instances& instances_;
};

}  // namespace belfry::serve
