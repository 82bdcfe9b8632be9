// SPDX-License-Identifier: Apache-2.0
#include "queue_pg/queue.h"

#include <algorithm>

#include "pg/migrate.h"
#include "pg/risks.h"
#include "queue/home.h"
#include "queue_pg/claims.h"
#include "queue_pg/dead_letters.h"
#include "queue_pg/intake.h"
#include "queue_pg/limiter.h"
#include "queue_pg/moving.h"
#include "queue_pg/pages.h"
#include "queue_pg/results.h"
#include "queue_pg/stats.h"
#include "queue_pg/steering.h"
#include "queue_pg/tables.h"
#include "queue_pg/upkeep.h"

namespace belfry::queue_pg {

namespace {

constexpr uint32_t kStatementMs = 10'000;  // shorter than any lease: a dead node's statement does not outlive it

constexpr const char* kBlobs = "SELECT id, bytes FROM queue_blob WHERE id = ANY ($1::bigint[])";
constexpr const char* kChanges =
    "SELECT c.number, c.push, c.state, c.uid, a.name FROM queue_change c JOIN queue_app a ON a.id = c.app "
    "WHERE c.number > $1 ORDER BY c.number LIMIT 16384";

// Sessions carry the home's number, so that the next start can end those of a killed process.
pg::Address address_of(const Config& config, const Services& services, int64_t home) {
    pg::Address address = config.place.address(services);
    address.statement_ms = kStatementMs;
    // After a failover behind a name, a reconnect may reach the old server, which takes no writes any more.
    address.parts.try_emplace("target_session_attrs", "read-write");
    address.parts["application_name"] = "belfry queue " + std::to_string(home);
    return address;
}

}  // namespace

struct PgQueue::Parts {
    Parts(Services services, const Config& config)
        : home(services.state_directory(), "queue_pg.home"),
          place(address_of(config, services, home.number())),
          core(prepared(services, config)) {}

    Home home;
    pg::Address place;
    Core core;
    Backlog backlog{core.config.backlog_max};
    Intake intake{core, backlog};
    Claims claims{core};
    Pages pages{core};
    Steering steering{core};
    Results results{core};
    DeadLetters dead_letters{core};
    Moving moving{core};
    Nodes nodes{core, home.number()};
    Purge purge{core};
    Stats stats{core};
    RateLimits rate_limits{core};
    Upkeep upkeep{core, nodes, purge, stats, rate_limits};

private:
    Core prepared(Services services, const Config& config) {
        pg::migrate(place, kComponent, migrations());
        return {services, config, place};
    }
};

PgQueue::PgQueue(Services services, std::string_view config) : services_(services), config_(parse_config(config)) {}

PgQueue::~PgQueue() {
    if (parts_) parts_->nodes.leave();
}

void PgQueue::start(int64_t) {
    auto parts = std::make_unique<Parts>(services_, config_);
    pg::warn_of_risks(parts->core.durable, services_, "queue.dsn", call_deadline());
    parts->nodes.take_over();
    parts_ = std::move(parts);
}

PgQueue::Parts& PgQueue::parts() const {
    if (!parts_) throw Refused(BELFRY_INTERNAL, {}, "the queue was not started");
    return *parts_;
}

void PgQueue::enqueue(uint64_t, Rows<belfry_new_push> pushes, const Emit<belfry_enqueued>& emit) {
    const std::vector<belfry_enqueued> answers = parts().intake.enqueue(pushes);
    if (!answers.empty()) emit.all(answers);
}

void PgQueue::claim(uint64_t node, int32_t lane, Rows<uint32_t> open_gates, uint32_t n, uint32_t wait_ms,
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

void PgQueue::blobs(Rows<uint64_t> ids, const Emit<belfry_blob>& emit) {
    Core& core = parts().core;
    std::vector<int64_t> wanted;
    for (const uint64_t id : ids) wanted.push_back(static_cast<int64_t>(id));
    const pg::Deadline deadline = call_deadline();
    const pg::Result rows = core.progress.with(deadline, [&](pg::Connection& connection) {
        return connection.run(kBlobs, pg::Params().column(pg::numbers(wanted)), deadline);
    });
    for (int row = 0; row < rows.rows(); ++row) {
        const auto at = std::find(wanted.begin(), wanted.end(), rows.number(row, 0));
        auto blob = sized<belfry_blob>();
        blob.index = static_cast<uint32_t>(at - wanted.begin());
        blob.id = static_cast<uint64_t>(*at);
        blob.bytes = str(rows.bytes(row, 1));
        if (!emit(blob)) return;
    }
}

void PgQueue::page(uint64_t node, Rows<belfry_checkpoint> checkpoints, const Emit<belfry_paged>& emit) {
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

void PgQueue::steer(App app, Rows<belfry_str> uids, int32_t verb, const Emit<belfry_steered>& emit) {
    const std::vector<belfry_steered> answers = parts().steering.steer(app, uids, verb);
    if (!answers.empty()) emit.all(answers);
}

void PgQueue::changes(int64_t since, const Emit<belfry_change>& emit) {
    Core& core = parts().core;
    const pg::Deadline deadline = call_deadline();
    const pg::Result rows = core.progress.with(deadline, [&](pg::Connection& connection) {
        return connection.run(kChanges, pg::Params().number(since), deadline);
    });
    for (int row = 0; row < rows.rows(); ++row) {
        auto change = sized<belfry_change>();
        change.number = rows.number(row, 0);
        change.push = static_cast<uint64_t>(rows.number(row, 1));
        change.state = rows.number4(row, 2);
        change.uid = str(rows.bytes(row, 3));
        change.app = str(rows.bytes(row, 4));
        if (!emit(change)) return;
    }
}

void PgQueue::beat(uint64_t node, belfry_pulse& pulse) {
    parts().nodes.beat(node, pulse);
}

uint32_t PgQueue::upkeep(uint64_t node, uint32_t budget_ms) {
    return parts().upkeep.run(node, budget_ms);
}

void PgQueue::lookup(App app, Rows<belfry_str> uids, const Emit<belfry_push_row>& emit) {
    emit_views(parts().results.lookup(app, uids), emit.raw(), emit.ctx());
}

std::string PgQueue::list(App app, int32_t state, std::string_view cursor, uint32_t limit,
                          const Emit<belfry_push_row>& emit) {
    std::vector<PushView> views;
    std::string next = parts().results.list(app, state, cursor, limit, views);
    emit_views(views, emit.raw(), emit.ctx());
    return next;
}

void PgQueue::dead(App app, std::string_view uid, uint64_t after, uint32_t limit, const Emit<belfry_dead_row>& emit) {
    for (const DeadView& view : parts().dead_letters.list(app, uid, after, limit)) {
        auto row = sized<belfry_dead_row>();
        row.attempt = view.attempt;
        row.id = view.id;
        row.gate = view.gate;
        row.entries = view.entries;
        row.buried_unix_ms = view.buried_unix_ms;
        row.replayed_unix_ms = view.replayed_unix_ms;
        row.app = str(app);
        row.uid = str(std::string_view(view.uid));
        row.note = str(std::string_view(view.note));
        if (!emit(row)) return;
    }
}

uint32_t PgQueue::replay(App app, Rows<uint64_t> ids, bool ignore_expiry) {
    return parts().dead_letters.replay(app, ids, ignore_expiry);
}

void PgQueue::stats(belfry_queue_stats& stats) {
    parts().stats.read(stats);
}

std::string PgQueue::dump(std::string_view cursor, uint32_t limit, const Emit<belfry_str>& emit) {
    DumpPage page(limit);
    std::string next = parts().moving.dump(cursor, page);
    page.emit_to(emit.raw(), emit.ctx());
    return next;
}

void PgQueue::load(Rows<belfry_str> records) {
    parts().moving.load(records);
}

bool PgQueue::purge_app(App app, uint32_t limit) {
    return parts().purge.app(app, limit);
}

void PgQueue::charge(Rows<belfry_policy> policies, Rows<belfry_charge> charges, int64_t deadline_mono_ns,
                     const Emit<belfry_charged>& emit) {
    const std::vector<belfry_charged> answers = parts().rate_limits.charge(policies, charges, deadline_mono_ns);
    if (!answers.empty()) emit.all(answers);
}

}  // namespace belfry::queue_pg
