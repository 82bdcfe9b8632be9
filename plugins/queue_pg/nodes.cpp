// SPDX-License-Identifier: Apache-2.0
#include "queue_pg/nodes.h"

#include <algorithm>
#include <optional>
#include <thread>

#include "queue_pg/tables.h"

namespace belfry::queue_pg {

namespace {

constexpr std::chrono::seconds kSessionsEndWithin{5};
constexpr std::chrono::milliseconds kSessionsLook{2};
constexpr std::chrono::seconds kLeaveWithin{2};
constexpr int64_t kPortion = 250;

constexpr const char* kEndSessions =
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = "
    "current_setting('application_name') AND datname = current_database() AND usename = current_user AND "
    "pid <> pg_backend_pid()";
constexpr const char* kDeclareDead = "UPDATE queue_node SET dead = true WHERE home = $1 AND NOT dead";
constexpr const char* kVirtualTimes =
    "SELECT l.lane, greatest(coalesce((SELECT min(i.vt) FROM queue_item i WHERE i.lane = l.lane), 0), "
    "coalesce((SELECT max(CASE l.lane WHEN 1 THEN n.vt1 WHEN 2 THEN n.vt2 ELSE n.vt3 END) FROM queue_node n "
    "WHERE NOT n.dead), 0)) FROM (VALUES (1), (2), (3)) l (lane)";

constexpr const char* kBeat =
    "INSERT INTO queue_node (id, home, seen, vt1, vt2, vt3, dead) VALUES ($1, $2, queue_now(), $3, $4, $5, false) "
    "ON CONFLICT (id) DO UPDATE SET seen = excluded.seen, vt1 = excluded.vt1, vt2 = excluded.vt2, vt3 = excluded.vt3 "
    "WHERE NOT queue_node.dead RETURNING seen";
constexpr const char* kOthers =
    "SELECT count(*), count(*) FILTER (WHERE id < $1), coalesce(max(vt1), 0), coalesce(max(vt2), 0), "
    "coalesce(max(vt3), 0), (SELECT coalesce(max(number), 0) FROM queue_change) FROM queue_node WHERE NOT dead";
constexpr const char* kSigns = "SELECT id, seen FROM queue_node WHERE NOT dead AND id <> $1";
// Unless it gave a sign meanwhile.
constexpr const char* kMarkDead = "UPDATE queue_node SET dead = true WHERE id = $1 AND seen = $2 AND NOT dead";
const std::string kOfTheDead =
    std::string("SELECT ") + kItemColumns +
    ", i.content, coalesce(p.state, 2) FROM queue_item i LEFT JOIN queue_push p ON p.id = i.push WHERE i.owner = ANY "
    "(ARRAY(SELECT id FROM queue_node WHERE dead)) AND i.owner <> 0 ORDER BY i.id LIMIT $1 FOR UPDATE OF i SKIP LOCKED";
const std::string kBundles = std::string("SELECT ") + kBundleColumns +
                             " FROM queue_bundle b WHERE b.id = ANY ($1::bigint[]) ORDER BY b.id FOR UPDATE";

constexpr const char* kMine = "SELECT id, epoch, serial FROM queue_item WHERE owner = $1";
// A claim of a paused push's item parks it.
constexpr const char* kPutBack =
    "UPDATE queue_item i SET owner = 0, ready = queue_now(), shelf = CASE WHEN EXISTS (SELECT FROM queue_push p WHERE "
    "p.id = i.push AND p.state IN (5, 6)) THEN -1 ELSE i.gate END WHERE i.id = $1 AND i.owner = $2 AND i.epoch = $3";
constexpr const char* kLeave =
    "UPDATE queue_item i SET owner = 0, ready = queue_now(), shelf = CASE WHEN EXISTS (SELECT FROM queue_push p WHERE "
    "p.id = i.push AND p.state IN (5, 6)) THEN -1 ELSE i.gate END WHERE i.owner = ANY ($1::bigint[])";
constexpr const char* kForget = "DELETE FROM queue_node WHERE id = ANY ($1::bigint[]) AND NOT dead";

int64_t bits(uint64_t value) {
    return static_cast<int64_t>(value);
}

Silence::Signs read_signs(const pg::Result& rows) {
    Silence::Signs signs;
    for (int row = 0; row < rows.rows(); ++row) signs.emplace(rows.number(row, 0), rows.number(row, 1));
    return signs;
}

// An item that ends its owners.
struct Poison {
    Item item;
    std::string content;
};

// Makes what dead nodes held claimable again; answers what was held over too many ends.
std::vector<Poison> free_but_poison(Turn& turn, const pg::Result& rows) {
    std::vector<Poison> poison;
    for (int row = 0; row < rows.rows(); ++row) {
        Item item = read_item(rows, row);
        if (++item.crashes >= kCrashLimit) {
            poison.push_back({item, std::string(rows.bytes(row, kItemColumnCount))});
            continue;
        }
        const bool stopped = is_stopped(rows.number4(row, kItemColumnCount + 1));
        item.owner = 0;
        item.ready_unix_ms = turn.now();
        item.vt = std::max(item.vt, turn.core().lanes.vt(item.lane));
        turn.writes().update(item, stopped ? kStoppedShelf : int64_t{item.gate});
    }
    return poison;
}

std::map<int64_t, Bundle> load_bundles(Turn& turn, const std::vector<int64_t>& ids) {
    std::map<int64_t, Bundle> bundles;
    if (ids.empty()) return bundles;
    const pg::Result rows = turn.connection().run(kBundles, pg::Params().column(pg::numbers(ids)), turn.deadline());
    for (int row = 0; row < rows.rows(); ++row) {
        if (std::optional<Bundle> bundle = intact_bundle(rows, row)) bundles.emplace(bundle->id, std::move(*bundle));
    }
    return bundles;
}

void bury_all(Turn& turn, const std::vector<Poison>& poison) {
    std::vector<int64_t> bundle_ids, push_ids;
    for (const Poison& one : poison)
        one.item.is_bundle() ? bundle_ids.push_back(one.item.id) : push_ids.push_back(one.item.push);
    turn.load_pushes(push_ids, false);
    std::map<int64_t, Bundle> bundles = load_bundles(turn, bundle_ids);
    for (const Poison& one : poison) {
        const std::string note =
            "its owner ended without a word " + std::to_string(one.item.crashes) + " times while holding it";
        turn.core().services.error(
            "work item buried",
            {{"item", std::to_string(one.item.id)}, {"push", std::to_string(one.item.push)}, {"reason", note}});
        const auto bundle = bundles.find(one.item.id);
        if (Push* push = turn.find(one.item.push)) {
            turn.bury(*push, one.item, one.content, note);
            turn.count_dead(*push, one.item, one.content.size());
            turn.remove(*push, one.item.id);
        } else if (bundle != bundles.end() && has_members(one.content)) {
            turn.bury_bundle(bundle->second, one.item, one.content, note, true);
            turn.finish_bundle(bundle->second);
            turn.writes().update(bundle->second);
            turn.writes().erase_item(one.item.id);
        } else {
            turn.put_aside(one.item, "it cannot be buried: its push or its members are damaged");
        }
    }
}

}  // namespace

void Nodes::take_over() {
    const pg::Deadline deadline = call_deadline();
    core_.progress.with(deadline, [&](pg::Connection& connection) {
        // A session of a killed process may still be at work on its last statement.
        const pg::Deadline until = pg::Clock::now() + kSessionsEndWithin;
        while (connection.run(kEndSessions, {}, deadline).number(0, 0) > 0) {
            if (pg::Clock::now() > until)
                throw Refused(BELFRY_RETRY_LATER, {}, "sessions of this server's last run do not end; try again");
            std::this_thread::sleep_for(kSessionsLook);
        }
        connection.run(kDeclareDead, pg::Params().number(home_), deadline);
        const pg::Result times = connection.run(kVirtualTimes, {}, deadline);
        for (int row = 0; row < times.rows(); ++row) core_.lanes.reach(times.number4(row, 0), times.number(row, 1));
    });
    while (take_back_portion()) {
    }
}

void Nodes::leave() noexcept {
    try {
        std::vector<int64_t> ids;
        {
            const std::lock_guard lock(mutex_);
            for (const uint64_t node : known_) ids.push_back(bits(node));
        }
        if (ids.empty()) return;
        const pg::Deadline deadline = pg::Clock::now() + kLeaveWithin;
        core_.durable.with(deadline, [&](pg::Connection& connection) {
            connection.send(kLeave, pg::Params().column(pg::numbers(ids)));
            connection.send(kForget, pg::Params().column(pg::numbers(ids)));
            connection.trip(deadline);
        });
    } catch (const std::exception& error) {
        core_.services.warning("the queue's claims could not be given back at the end; the next start takes them back",
                               {{"reason", error.what()}});
    }
}

void Nodes::know(uint64_t node) {
    {
        const std::lock_guard lock(mutex_);
        if (known_.contains(node)) return;
    }
    auto pulse = sized<belfry_pulse>();
    beat(node, pulse);
}

void Nodes::beat(uint64_t node, belfry_pulse& pulse) {
    const pg::Deadline deadline = call_deadline();
    const Lanes& lanes = core_.lanes;
    core_.signs.with(deadline, [&](pg::Connection& connection) {
        connection.send(
            kBeat,
            pg::Params().number(bits(node)).number(home_).number(lanes.vt(1)).number(lanes.vt(2)).number(lanes.vt(3)));
        connection.send(kOthers, pg::Params().number(bits(node)));
        connection.send(kSigns, pg::Params().number(bits(node)));
        const std::vector<pg::Result> results = connection.trip(deadline);
        if (results[0].rows() == 0)
            throw Refused(BELFRY_FENCED, "node", "gave no sign of life for a lease; start as a new node");
        const pg::Result& others = results[1];
        pulse.store_unix_ms = results[0].number(0, 0);
        pulse.live_nodes = static_cast<uint32_t>(others.number(0, 0));
        pulse.rank = static_cast<uint32_t>(others.number(0, 1));
        for (int32_t lane = 1; lane < kLanes; ++lane) core_.lanes.reach(lane, others.number(0, 1 + lane));
        pulse.changes = others.number(0, 5);
        silence_.look(read_signs(results[2]), core_.services.mono_ns());
    });
    const std::lock_guard lock(mutex_);
    known_.insert(node);
}

bool Nodes::reap(uint64_t observer) {
    const pg::Deadline deadline = call_deadline();
    core_.signs.with(deadline, [&](pg::Connection& connection) {
        const pg::Result rows = connection.run(kSigns, pg::Params().number(bits(observer)), deadline);
        for (const auto& [node, sign] : silence_.look(read_signs(rows), core_.services.mono_ns())) {
            if (connection.run(kMarkDead, pg::Params().number(node).number(sign), deadline).touched() == 0) continue;
            core_.services.warning("a server gave no sign of life, its work is taken over",
                                   {{"node", std::to_string(static_cast<uint64_t>(node))}});
        }
    });
    return take_back_portion();
}

bool Nodes::take_back_portion() {
    const pg::Deadline deadline = call_deadline();
    const bool more = core_.progress.with(deadline, [&](pg::Connection& connection) {
        Turn turn(core_, connection, deadline);
        turn.open();
        connection.send(kOfTheDead, pg::Params().number(kPortion));
        const std::vector<pg::Result> results = turn.trip_opened();
        const pg::Result& rows = results[Turn::kOpened];
        bury_all(turn, free_but_poison(turn, rows));
        turn.commit();
        return rows.rows() == kPortion;
    });
    core_.bell.ring();
    return more;
}

void Nodes::put_back_orphans(uint64_t node) {
    const pg::Deadline deadline = call_deadline();
    core_.progress.with(deadline, [&](pg::Connection& connection) {
        const pg::Result rows = connection.run(kMine, pg::Params().number(bits(node)), deadline);
        for (int row = 0; row < rows.rows(); ++row) {
            const int64_t id = rows.number(row, 0);
            const auto epoch = static_cast<uint32_t>(rows.number4(row, 1));
            if (!core_.held.is_orphan(id, {node, epoch, rows.number4(row, 2)})) continue;
            const pg::Result done = connection.run(
                kPutBack, pg::Params().number(id).number(bits(node)).number4(static_cast<int32_t>(epoch)), deadline);
            if (done.touched() == 0) continue;  // it was just finished
            core_.services.warning("a claim that this server does not know of was put back",
                                   {{"item", std::to_string(id)}});
        }
    });
}

}  // namespace belfry::queue_pg
