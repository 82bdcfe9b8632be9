// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/upkeep.h"

#include <algorithm>
#include <charconv>

#include "queue_redis/closing.h"
#include "queue_redis/due.h"
#include "queue_redis/settling.h"

namespace belfry::queue_redis {

namespace {

constexpr size_t kPushesPerStep = 25;  // expired ones, each with its items
constexpr const char* kUnfinishedPerStep = "200";
constexpr int64_t kSweepEveryMs = 1000;
constexpr int64_t kSharesEveryMs = 3000;
constexpr int64_t kPurgeEveryMs = 10'000;
constexpr uint32_t kIdleMs = 1000;
constexpr uint32_t kDelayedMs = 200;  // while anything waits for its time

}  // namespace

uint32_t Upkeep::run(uint64_t node, uint32_t budget_ms) {
    const redis::Deadline until = redis::Clock::now() + std::chrono::milliseconds(budget_ms);
    core_.follow_master();
    const Times times = look();
    bool more = true;
    while (more) {
        more = nodes_.reap(node);
        more = expire(times.now) || more;
        more = move_due(core_, times.now) || more;
        if (redis::Clock::now() >= until) break;
    }
    if (is_time(times.now, kSweepEveryMs, swept_)) {
        nodes_.put_back_orphans(node);
        finish_others();
    }
    if (is_time(times.now, kSharesEveryMs, shared_)) count_shares();
    if (is_time(times.now, kPurgeEveryMs, purged_) && purge_.step(times.now)) {
        purged_ = 0;
        more = true;
    }
    if (more) return 0;
    const int64_t next_due = look().next_due;
    if (next_due == 0) return kIdleMs;
    return static_cast<uint32_t>(std::clamp<int64_t>(next_due - times.now, 1, kDelayedMs));
}

Upkeep::Times Upkeep::look() {
    const redis::Deadline deadline = call_deadline();
    return core_.pool.with(deadline, [&](redis::Connection& connection) {
        const std::string later = core_.keys.of("later");
        core_.watch.look_again(connection, deadline);
        connection.send(core_.scripts.now, {later}, {});
        connection.send({"ZRANGE", later, "0", "0", "WITHSCORES"});
        const std::vector<redis::Reply> replies = connection.trip(deadline);
        const bool any = replies[1].size() > 0;
        return Times{replies[0].number(), any ? std::max<int64_t>(1, replies[1][1].number()) : 0};
    });
}

bool Upkeep::is_time(int64_t now, int64_t every_ms, int64_t& last) {
    if (now - last < every_ms && now >= last) return false;
    last = now;
    return true;
}

bool Upkeep::expire(int64_t now) {
    const redis::Deadline deadline = call_deadline();
    return core_.pool.with(deadline, [&](redis::Connection& connection) {
        const redis::Reply found = connection.run({"ZRANGEBYSCORE", core_.keys.of("expiring"), "-inf",
                                                   std::to_string(now), "LIMIT", "0", std::to_string(kPushesPerStep)},
                                                  deadline);
        if (found.size() == 0) return false;
        Ids ids;
        for (size_t i = 0; i < found.size(); ++i) ids.push_back(found[i].number());
        Turn turn(core_, connection, deadline);
        turn.begin();
        turn.load_pushes(ids);
        for (const int64_t id : ids) {
            Push* push = turn.find(id);
            // Gone, or damaged: it must not stand before others.
            if (push == nullptr) turn.writes().changes().write("ZREM", core_.keys.of("expiring"), {std::to_string(id)});
            if (push == nullptr || push->finished_unix_ms != 0 || is_stopped(push->state)) continue;
            turn.stop(*push, BELFRY_PUSH_EXPIRED);
        }
        turn.commit();
        return ids.size() == kPushesPerStep;
    });
}

void Upkeep::finish_others() {
    const redis::Deadline deadline = call_deadline();
    core_.pool.with(deadline, [&](redis::Connection& connection) {
        connection.send({"SRANDMEMBER", core_.keys.of("restless"), kUnfinishedPerStep});
        connection.send({"SRANDMEMBER", core_.keys.of("closing"), kUnfinishedPerStep});
        const std::vector<redis::Reply> replies = connection.trip(deadline);
        finish_each(connection, "restless", replies[0], settle, deadline);
        finish_each(connection, "closing", replies[1], close_if_ended, deadline);
    });
}

void Upkeep::finish_each(redis::Connection& connection, const char* set, const redis::Value& pushes, Finish finish,
                         redis::Deadline deadline) {
    for (size_t i = 0; i < pushes.size(); ++i) {
        const int64_t push = pushes[i].number();
        try {
            finish(core_, connection, push, deadline);
        } catch (const Refused& refused) {
            // Damage of one push, which must not keep the others waiting.
            const int32_t code = BELFRY_CODE_CLASS(refused.code());
            if (code != BELFRY_CORRUPT && code != BELFRY_CONFIG) throw;
            core_.services.error("a push cannot be finished, its keys are damaged; restore Redis from a backup",
                                 {{"push", std::to_string(push)}, {"reason", refused.what()}});
            connection.run({"SREM", core_.keys.of(set), std::to_string(push)}, deadline);
        }
    }
}

void Upkeep::count_shares() {
    const redis::Deadline deadline = call_deadline();
    core_.shares.set(core_.pool.with(deadline, [&](redis::Connection& connection) {
        const redis::Reply numbers = connection.run({"HGETALL", core_.keys.of("number")}, deadline);
        std::map<uint32_t, uint32_t> live;
        for (size_t i = 0; i + 1 < numbers.size(); i += 2) {
            const std::string_view name = numbers[i].text();
            uint32_t app = 0;
            if (!name.starts_with("app") || name.size() == 3) continue;
            std::from_chars(name.data() + 3, name.data() + name.size(), app);
            live[app] = static_cast<uint32_t>(std::max<int64_t>(1, numbers[i + 1].number()));
        }
        return live;
    }));
}

}  // namespace belfry::queue_redis
