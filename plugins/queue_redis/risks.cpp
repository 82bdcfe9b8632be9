// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/risks.h"

#include <charconv>

#include "queue_redis/info.h"

namespace belfry::queue_redis {

namespace {

constexpr int kOldestMajor = 7;

[[noreturn]] void refuse(const std::string& what) {
    throw Refused(BELFRY_CONFIG, "address", what);
}

// Empty: the user may not ask, or the service does not let anybody.
std::string setting(redis::Connection& connection, std::string_view name, redis::Deadline deadline) {
    try {
        const redis::Reply reply = connection.run({"CONFIG", "GET", name}, deadline);
        return reply.size() == 2 ? std::string(reply[1].text()) : std::string();
    } catch (const redis::Failure& failure) {
        if (failure.kind() == redis::Failure::Kind::Refused) return {};
        throw;
    }
}

void check_info(std::string_view info) {
    const std::string version(info_text(info, "redis_version"));
    int major = 0;
    std::from_chars(version.data(), version.data() + version.size(), major);
    if (major < kOldestMajor) refuse("the server is Redis " + version + "; use 7 or newer");
    if (info_number(info, "cluster_enabled") != 0)
        refuse("the server is a node of Redis Cluster, which this plugin does not know yet; use one without");
    if (info_text(info, "role") != "master")
        throw Refused(BELFRY_RETRY_LATER, "address", "the server is a replica; point the address to the master");
    if (info_number(info, "aof_enabled") == 0)
        refuse("the server keeps no append-only file and would forget pushes that were answered: set appendonly yes");
    if (info_number(info, "maxmemory") > 0 && info_text(info, "maxmemory_policy") != "noeviction")
        refuse("the server throws keys away when its memory is full: set maxmemory-policy noeviction");
}

}  // namespace

void check_server(Core& core) {
    const redis::Deadline deadline = call_deadline();
    const Services& services = core.services;
    core.pool.with(deadline, [&](redis::Connection& connection) {
        const redis::Address& address = core.pool.address();
        const redis::Reply info = connection.run({"INFO"}, deadline);
        check_info(info.text());
        const std::string fsync = setting(connection, "appendfsync", deadline);
        if (fsync == "no") refuse("the server never waits for its disk: set appendfsync always, or everysec");
        if (fsync == "everysec")
            services.warning(
                "Redis syncs its append-only file once a second: a loss of power, or a crash of Redis on a slow disk, "
                "may "
                "take up to two seconds of accepted pushes; set appendfsync always where that matters",
                {{"server", address.name()}});
        if (fsync.empty())
            services.warning("Redis does not tell how it syncs; see that appendfsync is always, or everysec",
                             {{"server", address.name()}});
        if (info_number(info.text(), "maxmemory") == 0)
            services.warning("Redis has no maxmemory: a long queue may end in the kernel killing it; set maxmemory",
                             {{"server", address.name()}});
        const bool has_replicas = info_number(info.text(), "connected_slaves") > 0;
        if (has_replicas && setting(connection, "min-replicas-to-write", deadline) == "0")
            services.warning(
                "Redis has replicas and goes on alone without them: set min-replicas-to-write 1, so that a failover "
                "loses less",
                {{"server", address.name()}});
        if (!address.is_private())
            services.warning("the connection to Redis is not encrypted; set tls = true", {{"server", address.name()}});
    });
}

}  // namespace belfry::queue_redis
