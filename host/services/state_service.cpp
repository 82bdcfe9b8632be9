// SPDX-License-Identifier: Apache-2.0
// belfry.secret/1 and belfry.state/1.
#include <belfry/storage.h>

#include <optional>
#include <string>

#include "services/host_services.h"
#include "services/tables.h"

namespace belfry::services {
namespace {

belfry_code read_secret(const belfry_host* host, belfry_str id, belfry_emit emit, void* ctx, belfry_why* why) noexcept {
    return guarded(why, [&]() -> belfry_code {
        const SecretReader& read = InstanceHost::of(host).settings().read_secret;
        if (!read) return because(why, BELFRY_NOT_FOUND, view(id), "this instance has no secrets");
        const auto secret = read(view(id));
        if (!secret) return refuse(why, secret.error());
        emit_text(std::string_view(*secret), emit, ctx);
        return BELFRY_OK;
    });
}

belfry_code directory(const belfry_host* host, belfry_emit emit, void* ctx, belfry_why* why) noexcept {
    return guarded(why, [&]() -> belfry_code {
        InstanceHost& instance = InstanceHost::of(host);
        const auto path = instance.node_state().directory(instance.settings().name);
        if (!path) return refuse(why, path.error());
        emit_text(std::string_view(path->native()), emit, ctx);
        return BELFRY_OK;
    });
}

// Keys of the cluster's store are shared by all instances: "plugin/<instance>/<key>".
std::string cluster_key(const InstanceHost& instance, std::string_view key) {
    return "plugin/" + instance.settings().name + "/" + std::string(key);
}

Result<ClusterState*> cluster_of(const InstanceHost& instance) {
    ClusterState* state = instance.cluster_state();
    if (state == nullptr) return error(ErrorCode::Unavailable, "the storage that keeps cluster state is not up yet");
    return state;
}

Result<std::optional<StoredState>> read_state(InstanceHost& instance, int32_t scope, std::string_view key) {
    if (scope == BELFRY_STATE_NODE) return instance.node_state().get(instance.settings().name, key);
    if (scope != BELFRY_STATE_CLUSTER) return error(ErrorCode::InvalidArgument, "unknown scope", "scope");
    const auto cluster = cluster_of(instance);
    if (!cluster) return cluster.error();
    return (*cluster)->get(cluster_key(instance, key));
}

belfry_code get(const belfry_host* host, int32_t scope, belfry_str key, belfry_emit emit, void* ctx,
                belfry_why* why) noexcept {
    return guarded(why, [&]() -> belfry_code {
        const auto stored = read_state(InstanceHost::of(host), scope, view(key));
        if (!stored) return refuse(why, stored.error());
        if (!stored->has_value()) return BELFRY_OK;
        auto row = sized<belfry_kv>();
        row.key = key;
        row.value = str((*stored)->value);
        row.version = (*stored)->version;
        emit(ctx, one_row(row));
        return BELFRY_OK;
    });
}

Status write_state(InstanceHost& instance, int32_t scope, std::string_view key, int64_t version,
                   std::optional<std::string_view> value) {
    if (scope == BELFRY_STATE_NODE) return instance.node_state().cas(instance.settings().name, key, version, value);
    if (scope != BELFRY_STATE_CLUSTER) return error(ErrorCode::InvalidArgument, "unknown scope", "scope");
    const auto cluster = cluster_of(instance);
    if (!cluster) return cluster.error();
    return (*cluster)->cas(cluster_key(instance, key), version, value);
}

belfry_code cas(const belfry_host* host, int32_t scope, belfry_str key, int64_t version, belfry_str value,
                belfry_why* why) noexcept {
    return guarded(why, [&]() -> belfry_code {
        const auto kept = value.p == nullptr ? std::nullopt : std::optional<std::string_view>(view(value));
        const Status written = write_state(InstanceHost::of(host), scope, view(key), version, kept);
        return written ? BELFRY_OK : refuse(why, written.error());
    });
}

}  // namespace

constinit const belfry_secret kSecretTable = {sizeof(belfry_secret), 0, &read_secret};
constinit const belfry_state kStateTable = {sizeof(belfry_state), 0, &directory, &get, &cas};

}  // namespace belfry::services
