// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/queue.h"

#include "queue/home.h"

#include "queue_redis/claims.h"
#include "queue_redis/dead_letters.h"
#include "queue_redis/intake.h"
#include "queue_redis/limiter.h"
#include "queue_redis/moving.h"
#include "queue_redis/pages.h"
#include "queue_redis/results.h"
#include "queue_redis/stats.h"
#include "queue_redis/steering.h"
#include "queue_redis/upkeep.h"

namespace belfry::queue_redis {

namespace {

constexpr const char* kChangesMax = "16384";

}  // namespace

struct RedisQueue::Parts {
    Parts(Services services, const Config& config, const std::string& clock)
        : home(services.state_directory(), "queue_redis.home"), core(services, config, clock) {}

    queue_parts::Home home;
    Core core;
    Backlog backlog{core};
    Intake intake{core, backlog};
    Claims claims{core};
    Pages pages{core};
    Steering steering{core};
    Results results{core};
    DeadLetters dead_letters{core};
    Nodes nodes{core, home.number()};
    Purge purge{core};
    Moving moving{core};
    Upkeep upkeep{core, nodes, purge};
    RateLimits rate_limits{core};
};

RedisQueue::RedisQueue(Services services, std::string_view config) : RedisQueue(services, config, server_clock()) {}

RedisQueue::RedisQueue(Services services, std::string_view config, std::string clock)
    : services_(services), config_(parse_config(config)), clock_(std::move(clock)) {}

RedisQueue::~RedisQueue() {
    if (parts_) parts_->nodes.leave();
}

void RedisQueue::start(int64_t) {
    auto parts = std::make_unique<Parts>(services_, config_, clock_);
    const redis::Deadline deadline = call_deadline();
    parts->core.pool.with(deadline, [&](redis::Connection& connection) { connection.run({"PING"}, deadline); });
    parts->core.watch.started();
    parts->nodes.take_over();
    parts_ = std::move(parts);
}

RedisQueue::Parts& RedisQueue::parts() const {
    if (!parts_) throw Refused(BELFRY_INTERNAL, {}, "the queue was not started");
    return *parts_;
}

void RedisQueue::enqueue(uint64_t, Rows<belfry_new_push> pushes, const Emit<belfry_enqueued>& emit) {
    const std::vector<belfry_enqueued> answers = parts().intake.enqueue(pushes);
    if (!answers.empty()) emit.all(answers);
}

void RedisQueue::claim(uint64_t node, int32_t lane, Rows<uint32_t> open_gates, uint32_t n, uint32_t wait_ms,
                       const Emit<belfry_claimed>& emit) {
    Parts& all = parts();
    all.nodes.know(node);
    const std::vector<Grant> grants = all.claims.claim(node, lane, open_gates, n, wait_ms);
    size_t given = 0;
    try {
        for (bool wanted = true; wanted && given < grants.size(); ++given) wanted = emit(grants[given].claimed().row());
    } catch (...) {
        all.claims.give_back(node, grants, given);
        throw;
    }
    all.claims.give_back(node, grants, given);
}

void RedisQueue::blobs(Rows<uint64_t> ids, const Emit<belfry_blob>& emit) {
    if (ids.empty()) return;
    Core& core = parts().core;
    Ids wanted;
    for (const uint64_t id : ids) wanted.push_back(static_cast<int64_t>(id));
    const redis::Deadline deadline = call_deadline();
    const std::vector<redis::Reply> replies = core.pool.with(deadline, [&](redis::Connection& connection) {
        send_rows(connection, core.keys.of("blob"), wanted);
        return connection.trip(deadline);
    });
    for (uint32_t i = 0; i < wanted.size(); ++i) {
        if (replies[0][i].is_nil()) continue;
        auto blob = sized<belfry_blob>();
        blob.index = i;
        blob.id = ids[i];
        blob.bytes = str(replies[0][i].text());
        if (!emit(blob)) return;
    }
}

void RedisQueue::page(uint64_t node, Rows<belfry_checkpoint> checkpoints, const Emit<belfry_paged>& emit) {
    const std::vector<PagedAnswer> answers = parts().pages.page(node, checkpoints);
    for (uint32_t i = 0; i < answers.size(); ++i) {
        auto row = sized<belfry_paged>();
        row.index = i;
        row.code = answers[i].code;
        row.live_items = answers[i].live_items;
        row.mine = list_of(answers[i].mine);
        if (!emit(row)) return;
    }
}

void RedisQueue::steer(App app, Rows<belfry_str> uids, int32_t verb, const Emit<belfry_steered>& emit) {
    const std::vector<belfry_steered> answers = parts().steering.steer(app, uids, verb);
    if (!answers.empty()) emit.all(answers);
}

void RedisQueue::changes(int64_t since, const Emit<belfry_change>& emit) {
    Core& core = parts().core;
    const redis::Deadline deadline = call_deadline();
    std::vector<Told> all;
    std::vector<std::string> apps;
    core.pool.with(deadline, [&](redis::Connection& connection) {
        const redis::Reply rows = connection.run(
            {"ZRANGEBYSCORE", core.keys.of("change"), "(" + std::to_string(since), "+inf", "LIMIT", "0", kChangesMax},
            deadline);
        all.clear();
        apps.clear();
        for (size_t i = 0; i < rows.size(); ++i) {
            std::optional<Told> told = intact_told(rows[i].text());
            if (!told) continue;
            all.push_back(std::move(*told));
            apps.push_back(core.apps.name(connection, all.back().app, deadline));
        }
    });
    for (size_t i = 0; i < all.size(); ++i) {
        auto change = sized<belfry_change>();
        change.number = all[i].number;
        change.push = static_cast<uint64_t>(all[i].push);
        change.state = all[i].state;
        change.uid = str(std::string_view(all[i].uid));
        change.app = str(std::string_view(apps[i]));
        if (!emit(change)) return;
    }
}

void RedisQueue::beat(uint64_t node, belfry_pulse& pulse) {
    parts().nodes.beat(node, pulse);
}

uint32_t RedisQueue::upkeep(uint64_t node, uint32_t budget_ms) {
    return parts().upkeep.run(node, budget_ms);
}

void RedisQueue::lookup(App app, Rows<belfry_str> uids, const Emit<belfry_push_row>& emit) {
    emit_views(parts().results.lookup(app, uids), emit.raw(), emit.ctx());
}

std::string RedisQueue::list(App app, int32_t state, std::string_view cursor, uint32_t limit,
                             const Emit<belfry_push_row>& emit) {
    std::vector<PushView> views;
    std::string next = parts().results.list(app, state, cursor, limit, views);
    emit_views(views, emit.raw(), emit.ctx());
    return next;
}

void RedisQueue::dead(App app, std::string_view uid, uint64_t after, uint32_t limit,
                      const Emit<belfry_dead_row>& emit) {
    for (const DeadView& view : parts().dead_letters.list(app, uid, after, limit)) {
        const Letter& letter = view.letter;
        auto row = sized<belfry_dead_row>();
        row.attempt = letter.work.attempt;
        row.id = static_cast<uint64_t>(letter.work.id);
        row.gate = letter.work.gate;
        row.entries = letter.entries;
        row.buried_unix_ms = letter.buried_unix_ms;
        row.replayed_unix_ms = letter.replayed_unix_ms;
        row.app = str(app);
        row.uid = str(std::string_view(view.uid));
        row.note = str(std::string_view(letter.note));
        if (!emit(row)) return;
    }
}

uint32_t RedisQueue::replay(App app, Rows<uint64_t> ids, bool ignore_expiry) {
    return parts().dead_letters.replay(app, ids, ignore_expiry);
}

void RedisQueue::stats(belfry_queue_stats& stats) {
    read_stats(parts().core, stats);
}

std::string RedisQueue::dump(std::string_view cursor, uint32_t limit, const Emit<belfry_str>& emit) {
    DumpPage page(limit);
    std::string next = parts().moving.dump(cursor, page);
    page.emit_to(emit.raw(), emit.ctx());
    return next;
}

void RedisQueue::load(Rows<belfry_str> records) {
    parts().moving.load(records);
}

bool RedisQueue::purge_app(App app, uint32_t limit) {
    return parts().purge.app(app, limit);
}

void RedisQueue::charge(Rows<belfry_policy> policies, Rows<belfry_charge> charges, int64_t deadline_mono_ns,
                        const Emit<belfry_charged>& emit) {
    const std::vector<belfry_charged> answers = parts().rate_limits.charge(policies, charges, deadline_mono_ns);
    if (!answers.empty()) emit.all(answers);
}

}  // namespace belfry::queue_redis
