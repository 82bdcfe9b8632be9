// SPDX-License-Identifier: Apache-2.0
// belfry.queue/1 and belfry.limiter/1 on PostgreSQL: the calls, each given to the part that does it.
//
// Threads: as tagged in queue.h; calls run side by side, what they share is in the database and in Core.
// Owner: the host, by the SDK.
#pragma once

#include <belfry/queue.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "queue/checks.h"
#include "queue_pg/config.h"

namespace belfry::queue_pg {

class PgQueue final : public Queue<PgQueue>, public Limiter {
public:
    // A standby that follows without being waited for may miss the last commits when it takes over.
    static constexpr uint32_t kFlags = BELFRY_QUEUE_MULTI_NODE | BELFRY_QUEUE_FAILOVER_LOSS |
                                       BELFRY_QUEUE_SURVIVES_POWER | BELFRY_QUEUE_DUMP | BELFRY_QUEUE_PURGE_APP;
    static constexpr uint32_t kItemBytesMax = queue_parts::kItemBytesMax;
    static constexpr uint32_t kLimiterFlags = BELFRY_LIMITER_SHARED | BELFRY_LIMITER_LASTING;

    PgQueue(Services services, std::string_view config);
    ~PgQueue() override;
    PgQueue(const PgQueue&) = delete;
    PgQueue& operator=(const PgQueue&) = delete;
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
    std::unique_ptr<Parts> parts_;  // once started
};

}  // namespace belfry::queue_pg
