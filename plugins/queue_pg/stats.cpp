// SPDX-License-Identifier: Apache-2.0
#include "queue_pg/stats.h"

#include <algorithm>

namespace belfry::queue_pg {

namespace {

// Rows of a kind that a call counts itself.
constexpr int64_t kCountMax = 20'000;
// And that upkeep counts; beyond, the server's own estimate is shown.
constexpr int64_t kCountedMax = 1'000'000;

// The item table is small by design.
constexpr const char* kItems =
    "SELECT lane, count(*) FILTER (WHERE shelf IS NOT NULL), count(*) FILTER (WHERE owner <> 0), count(*) FILTER "
    "(WHERE owner = 0 AND shelf IS NULL), coalesce(min(ready) FILTER (WHERE shelf IS NOT NULL), 0) FROM queue_item "
    "GROUP BY lane";
// Later items, dead letters, members of bundles, and open pushes by whether they wait for their time.
constexpr const char* kCounts =
    "SELECT (SELECT count(*) FROM (SELECT FROM queue_later LIMIT $1) l), "
    "(SELECT count(*) FROM (SELECT FROM queue_dead WHERE replayed = 0 LIMIT $1) d), "
    "(SELECT coalesce(sum(open), 0)::bigint FROM (SELECT open FROM queue_bundle WHERE finished = 0 LIMIT $1) b), "
    "count(*) FILTER (WHERE state <> 1), count(*) FILTER (WHERE state = 1) "
    "FROM (SELECT state FROM queue_push WHERE finished = 0 LIMIT $1) p";
constexpr const char* kBytes =
    "SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c WHERE c.relkind = 'r' AND "
    "c.relname LIKE 'queue\\_%' AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())";
constexpr const char* kEstimates =
    "SELECT coalesce(max(reltuples) FILTER (WHERE relname = 'queue_later'), 0)::bigint, coalesce(max(reltuples) FILTER "
    "(WHERE relname = 'queue_dead'), 0)::bigint, coalesce(max(reltuples) FILTER (WHERE relname = 'queue_push_open'), "
    "0)::bigint FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())";

}  // namespace

Stats::Long Stats::counted(const pg::Result& rows) {
    Long found;
    found.delayed = rows.number(0, 0);
    found.dead = rows.number(0, 1);
    found.running_pushes = rows.number(0, 2) + rows.number(0, 3);
    found.delayed_pushes = rows.number(0, 4);
    return found;
}

void Stats::refresh() {
    const pg::Deadline deadline = call_deadline();
    const Long found = core_.reads.with(deadline, [&](pg::Connection& connection) {
        connection.send(kCounts, pg::Params().number(kCountedMax));
        connection.send(kBytes);
        connection.send(kEstimates);
        const std::vector<pg::Result> results = connection.trip(deadline);
        Long all = counted(results[0]);
        all.bytes = results[1].number(0, 0);
        const auto correct = [&](int64_t& count, int column) {
            if (count >= kCountedMax) count = std::max(count, results[2].number(0, column));
        };
        correct(all.delayed, 0);
        correct(all.dead, 1);
        correct(all.running_pushes, 2);
        return all;
    });
    const std::lock_guard lock(mutex_);
    counted_ = found;
}

// Until upkeep has counted for the first time a call does it itself.
bool Stats::is_sized() {
    const std::lock_guard lock(mutex_);
    return counted_.bytes > 0;
}

void Stats::read(belfry_queue_stats& stats) {
    const pg::Deadline deadline = call_deadline();
    const bool sized = is_sized();
    const Long few = core_.reads.with(deadline, [&](pg::Connection& connection) {
        connection.send(kItems);
        connection.send(kCounts, pg::Params().number(kCountMax));
        if (!sized) connection.send(kBytes);
        const std::vector<pg::Result> results = connection.trip(deadline);
        const pg::Result& items = results[0];
        stats.parked = 0;
        for (int row = 0; row < items.rows(); ++row) {
            const int32_t lane = items.number4(row, 0);
            if (lane < BELFRY_LANE_HIGH || lane > BELFRY_LANE_LOW) continue;
            stats.ready[lane] = items.number(row, 1);
            stats.claimed[lane] = items.number(row, 2);
            stats.parked += items.number(row, 3);
            stats.oldest_ready_unix_ms[lane] = items.number(row, 4);
        }
        Long all = counted(results[1]);
        if (!sized) all.bytes = results[2].number(0, 0);
        return all;
    });
    const std::lock_guard lock(mutex_);
    if (counted_.bytes == 0) counted_.bytes = few.bytes;
    // A count that reached its bound says nothing about what lies beyond.
    const bool many_pushes = few.running_pushes + few.delayed_pushes >= kCountMax;
    stats.delayed = few.delayed < kCountMax ? few.delayed : std::max(few.delayed, counted_.delayed);
    stats.dead = few.dead < kCountMax ? few.dead : std::max(few.dead, counted_.dead);
    stats.running_pushes = many_pushes ? std::max(few.running_pushes, counted_.running_pushes) : few.running_pushes;
    stats.delayed_pushes = many_pushes ? std::max(few.delayed_pushes, counted_.delayed_pushes) : few.delayed_pushes;
    stats.store_bytes = counted_.bytes;
}

}  // namespace belfry::queue_pg
