// SPDX-License-Identifier: Apache-2.0
#include "plugins/queue.h"

#include "plugins/missing.h"

namespace belfry::plugins {

std::string Queue::missing(const belfry_queue& table) {
    return join_missing(
        {{"enqueue", table.enqueue != nullptr},
         {"claim", table.claim != nullptr},
         {"blobs", table.blobs != nullptr},
         {"page", table.page != nullptr},
         {"steer", table.steer != nullptr},
         {"changes", table.changes != nullptr},
         {"beat", table.beat != nullptr},
         {"upkeep", table.upkeep != nullptr},
         {"lookup", table.lookup != nullptr},
         {"list", table.list != nullptr},
         {"dead", table.dead != nullptr},
         {"replay", table.replay != nullptr},
         {"stats", table.stats != nullptr},
         {"dump and load (declared by DUMP)",
          (table.flags & BELFRY_QUEUE_DUMP) == 0 || (table.dump != nullptr && table.load != nullptr)},
         {"backup (declared by BACKUP)", (table.flags & BELFRY_QUEUE_BACKUP) == 0 || table.backup != nullptr},
         {"purge_app (declared by PURGE_APP)",
          (table.flags & BELFRY_QUEUE_PURGE_APP) == 0 || table.purge_app != nullptr}});
}

Queue::Queue(const belfry_queue* table, belfry_instance* instance, Faults& faults)
    : table_(known_part<belfry_queue>(table)), door_(instance, faults, table_.concurrency) {}

Result<belfry_pulse> Queue::beat(uint64_t node) {
    belfry_pulse pulse = sized<belfry_pulse>();
    const Status done = door_.call(
        "queue.beat", [&](belfry_instance* i, belfry_why* why) { return table_.beat(i, node, &pulse, why); });
    if (!done) return done.error();
    return pulse;
}

Result<uint32_t> Queue::upkeep(uint64_t node, uint32_t budget_ms) {
    uint32_t next_ms = 0;
    const Status done = door_.call("queue.upkeep", [&](belfry_instance* i, belfry_why* why) {
        return table_.upkeep(i, node, budget_ms, &next_ms, why);
    });
    if (!done) return done.error();
    return next_ms;
}

Result<uint32_t> Queue::replay(std::string_view app, std::span<const uint64_t> ids, bool ignore_expiry) {
    uint32_t replayed = 0;
    const Status done = door_.call("queue.replay", [&](belfry_instance* i, belfry_why* why) {
        return table_.replay(i, str(app), list_of(ids), ignore_expiry ? 1 : 0, &replayed, why);
    });
    if (!done) return done.error();
    return replayed;
}

Result<belfry_queue_stats> Queue::stats() {
    belfry_queue_stats stats = sized<belfry_queue_stats>();
    const Status done =
        door_.call("queue.stats", [&](belfry_instance* i, belfry_why* why) { return table_.stats(i, &stats, why); });
    if (!done) return done.error();
    return stats;
}

Status Queue::load(std::span<const belfry_str> records) {
    if (table_.load == nullptr) return Door::unsupported("queue.load");
    return door_.call("queue.load",
                      [&](belfry_instance* i, belfry_why* why) { return table_.load(i, list_of(records), why); });
}

Status Queue::backup(std::string_view path) {
    if (table_.backup == nullptr) return Door::unsupported("queue.backup");
    return door_.call("queue.backup",
                      [&](belfry_instance* i, belfry_why* why) { return table_.backup(i, str(path), why); });
}

Result<bool> Queue::purge_app(std::string_view app, uint32_t limit) {
    if (table_.purge_app == nullptr) return Door::unsupported("queue.purge_app");
    int32_t more = 0;
    const Status done = door_.call("queue.purge_app", [&](belfry_instance* i, belfry_why* why) {
        return table_.purge_app(i, str(app), limit, &more, why);
    });
    if (!done) return done.error();
    return more != 0;
}

}  // namespace belfry::plugins
