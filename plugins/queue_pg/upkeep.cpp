// SPDX-License-Identifier: Apache-2.0
#include "queue_pg/upkeep.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "queue_pg/closing.h"

namespace belfry::queue_pg {

namespace {

constexpr int64_t kRowsPerStep = 250;
constexpr int64_t kPushesPerStep = 25;  // expired ones, each with its items
constexpr int64_t kDeltasPerStep = 5000;
constexpr int64_t kStalePerStep = 200;
constexpr int64_t kSharesLook = 20'000;  // items
constexpr int64_t kSweepEveryMs = 1000;
constexpr int64_t kSharesEveryMs = 3000;
constexpr int64_t kCountEveryMs = 30'000;
constexpr int64_t kPurgeEveryMs = 10'000;
constexpr uint32_t kIdleMs = 1000;
constexpr uint32_t kDelayedMs = 200;  // while anything waits for its time

constexpr const char* kTimes =
    "SELECT queue_now(), coalesce((SELECT due FROM queue_later WHERE due >= $1 ORDER BY due "
    "LIMIT 1), -1)";
constexpr const char* kExpiring =
    "SELECT id FROM queue_push WHERE finished = 0 AND expires > 0 AND state < 4 AND expires <= $1 "
    "ORDER BY expires LIMIT $2";
constexpr const char* kDue =
    "SELECT id, push, gate, after, hi, blob, kind, flags, attempt, content FROM queue_later WHERE due <= $1 "
    "AND due >= $3 ORDER BY due, id LIMIT $2 FOR UPDATE SKIP LOCKED";
// What was put on a shelf while its push was being stopped.
constexpr const char* kSweepItems =
    "UPDATE queue_item SET shelf = -1 WHERE owner = 0 AND shelf IS DISTINCT FROM -1 AND push = ANY (ARRAY(SELECT id "
    "FROM queue_push WHERE finished = 0 AND state IN (5, 6) ORDER BY id LIMIT 1000))";
constexpr const char* kSweepLaters =
    "UPDATE queue_later SET due = 0 WHERE due > 0 AND push = ANY (ARRAY(SELECT id FROM queue_push WHERE finished = 0 "
    "AND state IN (5, 6) ORDER BY id LIMIT 1000))";
constexpr const char* kStale =
    "SELECT p.id, NOT EXISTS (SELECT FROM queue_item i WHERE i.push = p.id AND i.push > 0) AND NOT EXISTS (SELECT FROM "
    "queue_later l WHERE l.push = p.id) AND p.bundle = 0 FROM queue_push p WHERE p.finished = 0 AND p.state = $1 AND "
    "p.id > $2 ORDER BY p.id LIMIT $3";
constexpr const char* kFold =
    "WITH gone AS (DELETE FROM queue_delta WHERE id = ANY (ARRAY(SELECT id FROM queue_delta WHERE id >= $2 ORDER BY "
    "id LIMIT $1 FOR UPDATE SKIP LOCKED)) RETURNING id, push, gate, outcome, n), sums AS (INSERT INTO queue_tally "
    "(push, gate, "
    "outcome, n) SELECT push, gate, outcome, sum(n)::bigint FROM gone GROUP BY push, gate, outcome "
    "ORDER BY push, gate, outcome ON CONFLICT (push, gate, outcome) DO UPDATE SET n = queue_tally.n + excluded.n) "
    "SELECT count(*), coalesce(max(id), 0) FROM gone";
// Counters of transactions that were still open at the last look have lower numbers than what was seen then.
constexpr int64_t kDeltaSlack = 50'000;
constexpr uint32_t kFullFoldEvery = 64;
constexpr const char* kShares =
    "SELECT p.app, count(*) FROM (SELECT DISTINCT push FROM (SELECT push FROM queue_item WHERE push > 0 LIMIT $1) i) d "
    "JOIN queue_push p ON p.id = d.push GROUP BY p.app";
// Items of nodes that nobody knows, after the database lost a node's row: the node gets a lease to say that it lives.
constexpr const char* kStrangers =
    "INSERT INTO queue_node (id, home, seen, vt1, vt2, vt3, dead) SELECT DISTINCT i.owner, 0, queue_now(), 0, 0, 0, "
    "false FROM queue_item i WHERE i.owner <> 0 AND NOT EXISTS (SELECT FROM queue_node n WHERE n.id = i.owner) "
    "ON CONFLICT DO NOTHING";

}  // namespace

// A row of queue_later.
struct Upkeep::Later {
    Item item;
    std::string content;

    // Lists of one push that differ in nothing are merged; what came with the push is moved as it is.
    auto group() const {
        const bool alone = item.kind != BELFRY_WORK_LIST || (item.flags & kInitial) != 0;
        return std::tuple(item.push, item.attempt, item.gate, item.flags, item.blob, alone ? item.id : 0);
    }
};

uint32_t Upkeep::run(uint64_t node, uint32_t budget_ms) {
    const pg::Deadline until = pg::Clock::now() + std::chrono::milliseconds(budget_ms);
    const Times times = look();
    bool more = true;
    while (more) {
        more = nodes_.reap(node);
        more = expire(times.now) || more;
        more = move_due(times.now) || more;
        if (pg::Clock::now() >= until) break;
    }
    if (is_time(times.now, kSweepEveryMs, swept_)) {
        core_.later_floor = 0;
        nodes_.put_back_orphans(node);
        sweep();
        while (fold() && pg::Clock::now() < until) {
        }
        while (purge_.replies(times.now) && pg::Clock::now() < until) {
        }
        while (rate_limits_.forget(times.now) && pg::Clock::now() < until) {
        }
    }
    if (is_time(times.now, kSharesEveryMs, shared_)) count_shares();
    if (is_time(times.now, kCountEveryMs, counted_)) stats_.refresh();
    if (is_time(times.now, kPurgeEveryMs, purged_) && purge_.step(times.now)) {
        purged_ = 0;
        more = true;
    }
    if (more) return 0;
    const int64_t next_due = look().next_due;
    if (next_due < 0) return kIdleMs;
    return static_cast<uint32_t>(std::clamp<int64_t>(next_due - times.now, 1, kDelayedMs));
}

Upkeep::Times Upkeep::look() {
    const pg::Deadline deadline = call_deadline();
    int64_t floor = core_.later_floor;
    const Times times = core_.progress.with(deadline, [&](pg::Connection& connection) {
        const pg::Result rows = connection.run(kTimes, pg::Params().number(floor), deadline);
        return Times{rows.number(0, 0), rows.number(0, 1)};
    });
    // Unless somebody lowered it meanwhile. What is added is due later than now.
    const int64_t lowest = times.next_due < 0 ? times.now : std::min(times.now, times.next_due);
    core_.later_floor.compare_exchange_strong(floor, lowest);
    return times;
}

bool Upkeep::is_time(int64_t now, int64_t every_ms, int64_t& last) {
    if (now - last < every_ms && now >= last) return false;
    last = now;
    return true;
}

bool Upkeep::expire(int64_t now) {
    const pg::Deadline deadline = call_deadline();
    return core_.progress.with(deadline, [&](pg::Connection& connection) {
        const pg::Result rows = connection.run(kExpiring, pg::Params().number(now).number(kPushesPerStep), deadline);
        if (rows.rows() == 0) return false;
        std::vector<int64_t> ids;
        for (int row = 0; row < rows.rows(); ++row) ids.push_back(rows.number(row, 0));
        Turn turn(core_, connection, deadline);
        turn.open();
        turn.trip_opened();
        turn.load_pushes(ids, true);
        for (const int64_t id : ids) {
            Push* push = turn.find(id);
            if (push == nullptr || push->finished_unix_ms != 0 || is_stopped(push->state)) continue;
            turn.stop(*push, BELFRY_PUSH_EXPIRED);
        }
        turn.commit();
        return rows.rows() == kPushesPerStep;
    });
}

std::vector<Upkeep::Later> Upkeep::read_laters(const pg::Result& rows) {
    std::vector<Later> laters;
    for (int row = 0; row < rows.rows(); ++row) {
        Later& later = laters.emplace_back();
        later.item.id = rows.number(row, 0);
        later.item.push = rows.number(row, 1);
        later.item.gate = static_cast<uint32_t>(rows.number(row, 2));
        later.item.after = rows.number(row, 3);
        later.item.hi = rows.number(row, 4);
        later.item.blob = rows.number(row, 5);
        later.item.kind = rows.number4(row, 6);
        later.item.flags = static_cast<uint32_t>(rows.number4(row, 7));
        later.item.attempt = static_cast<uint32_t>(rows.number4(row, 8));
        later.content = rows.bytes(row, 9);
    }
    return laters;
}

bool Upkeep::move_due(int64_t now) {
    const pg::Deadline deadline = call_deadline();
    const bool more = core_.progress.with(deadline, [&](pg::Connection& connection) {
        Turn turn(core_, connection, deadline);
        turn.open();
        connection.send(kDue, pg::Params().number(now).number(kRowsPerStep).number(core_.later_floor));
        const std::vector<pg::Result> results = turn.trip_opened();
        std::vector<Later> laters = read_laters(results[Turn::kOpened]);
        const size_t found = laters.size();
        std::set<int64_t> pushes;
        for (const Later& later : laters) pushes.insert(later.item.push);
        turn.load_pushes({pushes.begin(), pushes.end()}, false);
        turn.recheck_paused();
        move(turn, std::move(laters));
        turn.commit();
        return found == static_cast<size_t>(kRowsPerStep);
    });
    core_.bell.ring();
    return more;
}

void Upkeep::move(Turn& turn, std::vector<Later> laters) {
    std::stable_sort(laters.begin(), laters.end(),
                     [](const Later& a, const Later& b) { return a.group() < b.group(); });
    std::vector<Later> group;
    uint32_t entries = 0;
    for (Later& later : laters) {
        const uint32_t more = entries_of(later.item.kind, later.item.flags, later.content.size());
        if (!group.empty() && (group.front().group() != later.group() || entries + more > kListEntriesMax)) {
            move_group(turn, group);
            group.clear();
            entries = 0;
        }
        entries += more;
        group.push_back(std::move(later));
    }
    if (!group.empty()) move_group(turn, group);
}

void Upkeep::move_group(Turn& turn, const std::vector<Later>& group) {
    const Item& first = group.front().item;
    for (const Later& later : group) turn.writes().erase_later(later.item.id);
    turn.may_close(first.push);
    Push* push = turn.find(first.push);
    if (push == nullptr) return;
    const bool stopped = is_stopped(push->state) || is_expired(push->expires_unix_ms, turn.now());
    // What came with a push that was stopped before its time is not looked at any more.
    if (stopped && (first.flags & kInitial) != 0) return;
    if (push->state == BELFRY_PUSH_DELAYED) {
        push->state = BELFRY_PUSH_RUNNING;
        turn.writes().start(push->id);
    }
    std::string content;
    for (const Later& later : group) content += later.content;
    turn.place(*push, first, content, 0);
}

void Upkeep::sweep() {
    const pg::Deadline deadline = call_deadline();
    core_.progress.with(deadline, [&](pg::Connection& connection) {
        connection.send(kSweepItems);
        connection.send(kSweepLaters);
        connection.send(kStrangers);
        connection.trip(deadline);
    });
    close_stale();
}

void Upkeep::close_stale() {
    const pg::Deadline deadline = call_deadline();
    core_.progress.with(deadline, [&](pg::Connection& connection) {
        const std::array states{BELFRY_PUSH_RUNNING, BELFRY_PUSH_PAUSED, BELFRY_PUSH_CANCELLED, BELFRY_PUSH_EXPIRED};
        for (const int32_t state : states) {
            const int64_t after = state == BELFRY_PUSH_RUNNING ? looked_to_ : 0;
            connection.send(kStale, pg::Params().number4(state).number(after).number(kStalePerStep));
        }
        const std::vector<pg::Result> results = connection.trip(deadline);
        std::set<int64_t> stale;
        for (const pg::Result& rows : results) {
            for (int row = 0; row < rows.rows(); ++row) {
                if (rows.bytes(row, 1)[0] != 0) stale.insert(rows.number(row, 0));
            }
        }
        const pg::Result& running = results.front();
        looked_to_ = running.rows() == kStalePerStep ? running.number(running.rows() - 1, 0) : 0;
        close_finished(connection, stale, deadline);
    });
}

bool Upkeep::fold() {
    const pg::Deadline deadline = call_deadline();
    return core_.progress.with(deadline, [&](pg::Connection& connection) {
        const int64_t from = ++folds_ % kFullFoldEvery == 0 ? 0 : folded_to_ - kDeltaSlack;
        const pg::Result done = connection.run(kFold, pg::Params().number(kDeltasPerStep).number(from), deadline);
        folded_to_ = std::max(folded_to_, done.number(0, 1));
        return done.number(0, 0) == kDeltasPerStep;
    });
}

void Upkeep::count_shares() {
    const pg::Deadline deadline = call_deadline();
    core_.shares.set(core_.progress.with(deadline, [&](pg::Connection& connection) {
        const pg::Result rows = connection.run(kShares, pg::Params().number(kSharesLook), deadline);
        std::map<uint32_t, uint32_t> live;
        for (int row = 0; row < rows.rows(); ++row)
            live[static_cast<uint32_t>(rows.number4(row, 0))] = static_cast<uint32_t>(rows.number(row, 1));
        return live;
    }));
}

}  // namespace belfry::queue_pg
