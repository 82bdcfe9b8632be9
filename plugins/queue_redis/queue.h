// SPDX-License-Identifier: Apache-2.0
// belfry.queue/1 and belfry.limiter/1 on Redis: the calls, each given to the part that does it.
//
// Threads: as tagged in queue.h; calls run side by side, what they share is on the server and in Core.
// Owner: the host, by the SDK.
#pragma once

#include <belfry/queue.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "queue/checks.h"
#include "queue_redis/config.h"

namespace belfry::queue_redis {

class RedisQueue final : public Queue<RedisQueue>, public Limiter {
public:
    // Replication is asynchronous: a failover may lose the last commits. Whether a loss of power does is the server's
    // appendfsync to say, so it is not promised.
    static constexpr uint32_t kFlags =
        BELFRY_QUEUE_MULTI_NODE | BELFRY_QUEUE_FAILOVER_LOSS | BELFRY_QUEUE_DUMP | BELFRY_QUEUE_PURGE_APP;
    static constexpr uint32_t kItemBytesMax = queue_parts::kItemBytesMax;
    static constexpr uint32_t kLimiterFlags = BELFRY_LIMITER_SHARED | BELFRY_LIMITER_LASTING;

    RedisQueue(Services services, std::string_view config);
    // With another clock: the text of the Lua function belfry_now. For the specification, which moves clocks; no
    // setting leads here.
    RedisQueue(Services services, std::string_view config, std::string clock);
    ~RedisQueue() override;
    RedisQueue(const RedisQueue&) = delete;
    RedisQueue& operator=(const RedisQueue&) = delete;
    void start(int64_t deadline_mono_ns) override;

    void enqueue(uint64_t node, Rows<belfry_new_push> pushes, const Emit<belfry_enqueued>& emit) override;
    void claim(uint64_t node, int32_t lane, Rows<uint32_t> open_gates, uint32_t n, uint32_t wait_ms,
               const Emit<belfry_claimed>& emit) override;
    void blobs(Rows<uint64_t> ids, const Emit<belfry_blob>& emit) override;
    void page(uint64_t node, Rows<belfry_checkpoint> checkpoints, const Emit<belfry_paged>& emit) override;
    void steer(App app, Rows<belfry_str> uids, int32_t verb, const Emit<belfry_steered>& emit) override;
    void changes(int64_t since, const Emit<belfry_change>& emit) override;
    void beat(uint64_t node, belfry_pulse& pulse) override;
    uint32_t upkeep(uint64_t node, uint32_t budget_ms) override;
    void lookup(App app, Rows<belfry_str> uids, const Emit<belfry_push_row>& emit) override;
    std::string list(App app, int32_t state, std::string_view cursor, uint32_t limit,
                     const Emit<belfry_push_row>& emit) override;
    void dead(App app, std::string_view uid, uint64_t after, uint32_t limit,
              const Emit<belfry_dead_row>& emit) override;
    uint32_t replay(App app, Rows<uint64_t> ids, bool ignore_expiry) override;
    void stats(belfry_queue_stats& stats) override;
    std::string dump(std::string_view cursor, uint32_t limit, const Emit<belfry_str>& emit) override;
    void load(Rows<belfry_str> records) override;
    bool purge_app(App app, uint32_t limit) override;
    void charge(Rows<belfry_policy> policies, Rows<belfry_charge> charges, int64_t deadline_mono_ns,
                const Emit<belfry_charged>& emit) override;

private:
    struct Parts;
    Parts& parts() const;

    Services services_;
    Config config_;
    std::string clock_;
    std::unique_ptr<Parts> parts_;  // once started
};

}  // namespace belfry::queue_redis
