// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/stats.h"

#include "queue_redis/info.h"

namespace belfry::queue_redis {

void read_stats(Core& core, belfry_queue_stats& stats) {
    const Keys& keys = core.keys;
    const redis::Deadline deadline = call_deadline();
    core.reads.with(deadline, [&](redis::Connection& connection) {
        connection.send(
            {"HMGET", keys.of("number"), "parked", "dead", "running", "members", "delayed", "held1", "held2", "held3"});
        connection.send({"ZCARD", keys.of("later")});
        connection.send({"INFO", "memory"});
        connection.send({"HLEN", keys.of("aside")});
        for (int32_t lane = BELFRY_LANE_HIGH; lane <= BELFRY_LANE_LOW; ++lane) {
            connection.send({"ZCARD", keys.of("age", lane)});
            connection.send({"ZRANGE", keys.of("age", lane), "0", "0", "WITHSCORES"});
        }
        const std::vector<redis::Reply> replies = connection.trip(deadline);
        const redis::Value numbers = replies[0];
        stats.parked = numbers[0].number() + replies[3].number();
        stats.dead = numbers[1].number();
        stats.running_pushes = numbers[2].number() + numbers[3].number();
        stats.delayed_pushes = numbers[4].number();
        stats.delayed = replies[1].number();
        stats.store_bytes = info_number(replies[2].text(), "used_memory");
        for (size_t lane = BELFRY_LANE_HIGH; lane <= BELFRY_LANE_LOW; ++lane) {
            const redis::Value oldest = replies[3 + 2 * lane];
            stats.claimed[lane] = numbers[4 + lane].number();
            stats.ready[lane] = replies[2 + 2 * lane].number();
            stats.oldest_ready_unix_ms[lane] = oldest.size() > 0 ? oldest[1].number() : 0;
        }
    });
}

}  // namespace belfry::queue_redis
