// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/server_watch.h"

#include <charconv>

#include "queue_redis/info.h"

namespace belfry::queue_redis {

namespace {

constexpr int kOldestMajor = 7;
constexpr std::chrono::seconds kLookEvery{60};

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

// Why this server must not keep a queue; empty: it may.
std::string refusal_of(std::string_view info, std::string_view fsync) {
    const std::string version(info_text(info, "redis_version"));
    int major = 0;
    std::from_chars(version.data(), version.data() + version.size(), major);
    if (major < kOldestMajor) return "the server is Redis " + version + "; use 7 or newer";
    if (info_number(info, "cluster_enabled") != 0)
        return "the server is a node of Redis Cluster, which this plugin does not know yet; use one without";
    if (info_number(info, "aof_enabled") == 0)
        return "the server keeps no append-only file and would forget pushes that were answered: set appendonly yes";
    if (info_number(info, "maxmemory") > 0 && info_text(info, "maxmemory_policy") != "noeviction")
        return "the server throws keys away when its memory is full: set maxmemory-policy noeviction";
    if (fsync == "no") return "the server never waits for its disk: set appendfsync always, or everysec";
    return {};
}

}  // namespace

ServerWatch::ServerWatch(Services services)
    : services_(services),
      unsafe_(
          services.gauge("server_unsafe", "1: the Redis in use has settings that lose accepted pushes, see the log")) {}

void ServerWatch::started() {
    const std::lock_guard lock(mutex_);
    started_ = true;
}

void ServerWatch::look(redis::Connection& connection, const redis::Address& address, redis::Deadline deadline) {
    const redis::Reply info = connection.run({"INFO"}, deadline);
    if (info_text(info.text(), "role") != "master")
        throw redis::lost_server(address.name(),
                                 "is a replica; the address, or the sentinels, must lead to the master");
    const std::lock_guard lock(mutex_);
    const std::string_view run_id = info_text(info.text(), "run_id");
    if (run_id == run_id_ && redis::Clock::now() < again_) return;
    const Findings findings = inspect(connection, info.text(), address, deadline);
    if (!findings.refusal.empty() && !started_) throw Refused(BELFRY_CONFIG, "address", findings.refusal);
    if (run_id != run_id_) said_.clear();
    if (run_id != run_id_ && !run_id_.empty())
        services_.info("another Redis, or the same one restarted, has the queue", {{"server", address.name()}});
    run_id_ = run_id;
    address_ = address;
    again_ = redis::Clock::now() + kLookEvery;
    say(findings, address.name());
}

void ServerWatch::look_again(redis::Connection& connection, redis::Deadline deadline) {
    redis::Address address;
    {
        const std::lock_guard lock(mutex_);
        if (redis::Clock::now() < again_) return;
        address = address_;
    }
    look(connection, address, deadline);
}

ServerWatch::Findings ServerWatch::inspect(redis::Connection& connection, std::string_view info,
                                           const redis::Address& address, redis::Deadline deadline) const {
    const std::string fsync = setting(connection, "appendfsync", deadline);
    Findings found;
    found.refusal = refusal_of(info, fsync);
    if (fsync == "everysec")
        found.warnings.emplace_back(
            "Redis syncs its append-only file once a second: a loss of power, or a crash of Redis on a slow disk, may "
            "take up to two seconds of accepted pushes; set appendfsync always where that matters");
    if (fsync.empty())
        found.warnings.emplace_back("Redis does not tell how it syncs; see that appendfsync is always, or everysec");
    if (info_number(info, "maxmemory") == 0)
        found.warnings.emplace_back(
            "Redis has no maxmemory: a long queue may end in the kernel killing it; set "
            "maxmemory");
    const bool has_replicas = info_number(info, "connected_slaves") > 0;
    if (has_replicas && setting(connection, "min-replicas-to-write", deadline) == "0")
        found.warnings.emplace_back(
            "Redis has replicas and goes on alone without them: set min-replicas-to-write 1, so that a failover loses "
            "less");
    if (!address.is_private() && !address.tls)
        found.warnings.emplace_back("the connection to Redis is not encrypted; set tls = true");
    return found;
}

// With the mutex held.
void ServerWatch::say(const Findings& findings, const std::string& server) {
    services_.record(unsafe_, findings.refusal.empty() ? 0 : 1);
    if (!findings.refusal.empty())
        services_.error(
            "accepted pushes may be lost, the Redis that has the queue now is not fit for it: " + findings.refusal,
            {{"server", server}});
    if (findings.warnings == said_) return;
    for (const std::string& warning : findings.warnings) services_.warning(warning, {{"server", server}});
    said_ = findings.warnings;
}

}  // namespace belfry::queue_redis
