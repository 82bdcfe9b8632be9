// SPDX-License-Identifier: Apache-2.0
// queue_pg for the specification: what counts for it is the database's clock, its function queue_now(). Here another
// queue_now() stands in its schema, one that adds an offset (host_clock.h).
#include "host_clock.h"

#include "pg/pool.h"
#include "queue_pg/queue.h"

namespace belfry::queue_pg {
namespace {

constexpr std::chrono::seconds kCallTime{10};

constexpr const char* kTable = "CREATE TABLE IF NOT EXISTS test_clock (ms bigint NOT NULL)";
constexpr const char* kRow = "INSERT INTO test_clock SELECT 0 WHERE NOT EXISTS (SELECT FROM test_clock)";
constexpr const char* kFunction =
    "CREATE OR REPLACE FUNCTION queue_now() RETURNS bigint LANGUAGE sql VOLATILE PARALLEL SAFE AS "
    "'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint + (SELECT ms FROM test_clock)'";
constexpr const char* kMove = "UPDATE test_clock SET ms = $1";

class Schema {
public:
    Schema(Services services, std::string_view config) : services_(services), config_(parse_config(config)) {}
    static std::unique_ptr<PgQueue> make_queue(Services services, std::string_view config) {
        return std::make_unique<PgQueue>(services, config);
    }
    void start() {
        pool_ = std::make_unique<pg::Pool>(config_.place.address(services_), 1);
        pool_->with(until(), [&](pg::Connection& connection) {
            for (const char* sql : {kTable, kRow, kFunction}) connection.run(sql, {}, until());
        });
    }
    void move(int64_t offset_ms) {
        pool_->with(until(), [&](pg::Connection& connection) {
            connection.run(kMove, pg::Params().number(offset_ms), until());
        });
    }

private:
    static pg::Deadline until() { return pg::Clock::now() + kCallTime; }

    Services services_;
    Config config_;
    std::unique_ptr<pg::Pool> pool_;
};

using Wrapped = host_clock::HostClock<PgQueue, Schema>;

}  // namespace
}  // namespace belfry::queue_pg

BELFRY_PLUGIN("queue_pg_host_clock", "0.1.0", belfry::component<belfry::queue_pg::Wrapped>("queue_pg_host_clock"));
