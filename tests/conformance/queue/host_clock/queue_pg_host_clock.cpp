// SPDX-License-Identifier: Apache-2.0
// queue_pg for the specification, whose cases move the host's clock: what counts for queue_pg is the database's, by its
// function queue_now(). This plugin is queue_pg with another queue_now() in its schema, one that adds an offset, and
// before each call it sets that offset to the host's. The plugin that is shipped knows nothing of it: there is no
// setting that moves its clock.
//
// Threads: as queue.h says.
#include <belfry/queue.hpp>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>

#include "pg/pool.h"
#include "queue_pg/queue.h"

namespace belfry::queue_pg {
namespace {

constexpr int64_t kNoticedMs = 5;  // the two clocks are read one after the other
constexpr std::chrono::seconds kCallTime{10};

constexpr const char* kTable = "CREATE TABLE IF NOT EXISTS test_clock (ms bigint NOT NULL)";
constexpr const char* kRow = "INSERT INTO test_clock SELECT 0 WHERE NOT EXISTS (SELECT FROM test_clock)";
constexpr const char* kFunction =
    "CREATE OR REPLACE FUNCTION queue_now() RETURNS bigint LANGUAGE sql VOLATILE PARALLEL SAFE AS "
    "'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint + (SELECT ms FROM test_clock)'";
constexpr const char* kMove = "UPDATE test_clock SET ms = $1";

class HostClock final : public Queue<HostClock> {
public:
    static constexpr uint32_t kFlags = PgQueue::kFlags;
    static constexpr uint32_t kItemBytesMax = PgQueue::kItemBytesMax;

    HostClock(Services services, std::string_view config)
        : services_(services), config_(parse_config(config)), inner_(services, config) {}

    void start(int64_t deadline_mono_ns) override {
        inner_.start(deadline_mono_ns);
        pool_ = std::make_unique<pg::Pool>(config_.place.address(services_), 1);
        pool_->with(until(), [&](pg::Connection& connection) {
            for (const char* sql : {kTable, kRow, kFunction}) connection.run(sql, {}, until());
        });
        set();
    }
    void enqueue(uint64_t node, Rows<belfry_new_push> pushes, const Emit<belfry_enqueued>& emit) override {
        inner().enqueue(node, pushes, emit);
    }
    void claim(uint64_t node, int32_t lane, Rows<uint32_t> gates, uint32_t n, uint32_t wait_ms,
               const Emit<belfry_claimed>& emit) override {
        inner().claim(node, lane, gates, n, wait_ms, emit);
    }
    void blobs(Rows<uint64_t> ids, const Emit<belfry_blob>& emit) override { inner().blobs(ids, emit); }
    void page(uint64_t node, Rows<belfry_checkpoint> checkpoints, const Emit<belfry_paged>& emit) override {
        inner().page(node, checkpoints, emit);
    }
    void steer(App app, Rows<belfry_str> uids, int32_t verb, const Emit<belfry_steered>& emit) override {
        inner().steer(app, uids, verb, emit);
    }
    void changes(int64_t since, const Emit<belfry_change>& emit) override { inner().changes(since, emit); }
    void beat(uint64_t node, belfry_pulse& pulse) override { inner().beat(node, pulse); }
    uint32_t upkeep(uint64_t node, uint32_t budget_ms) override { return inner().upkeep(node, budget_ms); }
    void lookup(App app, Rows<belfry_str> uids, const Emit<belfry_push_row>& emit) override {
        inner().lookup(app, uids, emit);
    }
    std::string list(App app, int32_t state, std::string_view cursor, uint32_t limit,
                     const Emit<belfry_push_row>& emit) override {
        return inner().list(app, state, cursor, limit, emit);
    }
    void dead(App app, std::string_view uid, uint64_t after, uint32_t limit,
              const Emit<belfry_dead_row>& emit) override {
        inner().dead(app, uid, after, limit, emit);
    }
    uint32_t replay(App app, Rows<uint64_t> ids, bool ignore_expiry) override {
        return inner().replay(app, ids, ignore_expiry);
    }
    void stats(belfry_queue_stats& stats) override { inner().stats(stats); }
    bool purge_app(App app, uint32_t limit) override { return inner().purge_app(app, limit); }

private:
    static pg::Deadline until() { return pg::Clock::now() + kCallTime; }
    int64_t host_offset() const {
        const auto real = std::chrono::system_clock::now().time_since_epoch();
        return services_.unix_ms() - std::chrono::duration_cast<std::chrono::milliseconds>(real).count();
    }
    void set() {
        offset_ = host_offset();
        pool_->with(until(),
                    [&](pg::Connection& connection) { connection.run(kMove, pg::Params().number(offset_), until()); });
    }
    // The queue, with its clock where the host's is.
    PgQueue& inner() {
        const std::lock_guard lock(mutex_);
        if (pool_ && std::llabs(host_offset() - offset_) > kNoticedMs) set();
        return inner_;
    }

    Services services_;
    Config config_;
    PgQueue inner_;
    std::mutex mutex_;
    std::unique_ptr<pg::Pool> pool_;
    int64_t offset_ = 0;
};

}  // namespace
}  // namespace belfry::queue_pg

BELFRY_PLUGIN("queue_pg_host_clock", "0.1.0", belfry::component<belfry::queue_pg::HostClock>("queue_pg_host_clock"));
