// SPDX-License-Identifier: Apache-2.0
#include "queue_pg/stats.h"

namespace belfry::queue_pg {

namespace {

// The item table is small by design; what may be long is counted to a bound and estimated beyond.
constexpr int64_t kCountMax = 100'000;

constexpr const char* kItems =
    "SELECT lane, count(*) FILTER (WHERE shelf IS NOT NULL), count(*) FILTER (WHERE owner <> 0), count(*) FILTER "
    "(WHERE owner = 0 AND shelf IS NULL), coalesce(min(ready) FILTER (WHERE shelf IS NOT NULL), 0) FROM queue_item "
    "GROUP BY lane";
constexpr const char* kCounts =
    "SELECT (SELECT count(*) FROM (SELECT FROM queue_later LIMIT $1) l), "
    "(SELECT count(*) FROM (SELECT FROM queue_dead WHERE replayed = 0 LIMIT $1) d), "
    "(SELECT count(*) FROM (SELECT FROM queue_push WHERE finished = 0 AND state <> 1 LIMIT $1) p), "
    "(SELECT count(*) FROM (SELECT FROM queue_push WHERE finished = 0 AND state = 1 LIMIT $1) p), "
    "(SELECT coalesce(sum(open), 0)::bigint FROM (SELECT open FROM queue_bundle WHERE finished = 0 LIMIT $1) b)";
constexpr const char* kEstimates =
    "SELECT relname::text, greatest(reltuples, 0)::bigint FROM pg_class WHERE oid IN ('queue_later'::regclass, "
    "'queue_dead'::regclass)";
constexpr const char* kBytes =
    "SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c WHERE c.relkind = 'r' AND "
    "c.relname LIKE 'queue\\_%' AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())";

}  // namespace

void read_stats(Core& core, belfry_queue_stats& stats) {
    const pg::Deadline deadline = call_deadline();
    core.progress.with(deadline, [&](pg::Connection& connection) {
        connection.send(kItems);
        connection.send(kCounts, pg::Params().number(kCountMax));
        connection.send(kBytes);
        connection.send(kEstimates);
        const std::vector<pg::Result> results = connection.trip(deadline);
        stats.parked = 0;
        const pg::Result& items = results[0];
        for (int row = 0; row < items.rows(); ++row) {
            const int32_t lane = items.number4(row, 0);
            if (lane < BELFRY_LANE_HIGH || lane > BELFRY_LANE_LOW) continue;
            stats.ready[lane] = items.number(row, 1);
            stats.claimed[lane] = items.number(row, 2);
            stats.parked += items.number(row, 3);
            stats.oldest_ready_unix_ms[lane] = items.number(row, 4);
        }
        const pg::Result& counts = results[1];
        stats.delayed = counts.number(0, 0);
        stats.dead = counts.number(0, 1);
        stats.running_pushes = counts.number(0, 2) + counts.number(0, 4);
        stats.delayed_pushes = counts.number(0, 3);
        stats.store_bytes = results[2].number(0, 0);
        const pg::Result& estimates = results[3];
        for (int row = 0; row < estimates.rows(); ++row) {
            int64_t& known = estimates.bytes(row, 0) == "queue_later" ? stats.delayed : stats.dead;
            if (known == kCountMax) known = std::max(known, estimates.number(row, 1));
        }
    });
}

}  // namespace belfry::queue_pg
