// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/nodes.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace belfry::queue_redis {

namespace {

constexpr std::chrono::seconds kLeaveWithin{2};
constexpr int64_t kPortion = 250;
constexpr int64_t kRememberDeadMs = 86'400'000;

int64_t bits(uint64_t value) {
    return static_cast<int64_t>(value);
}

uint64_t from_hex(std::string_view digits) {
    uint64_t number = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
    return number;
}

// Over too many ends of its owners.
void bury(Turn& turn, Turn::Work& work) {
    const Item item = work.is;
    const std::string note =
        "its owner ended without a word " + std::to_string(item.crashes) + " times while holding it";
    turn.core().services.error(
        "work item buried", {{"item", std::to_string(item.id)}, {"push", std::to_string(item.push)}, {"reason", note}});
    if (Push* push = turn.find(item.push)) {
        turn.bury(*push, item, work.content, note);
        turn.count_dead(*push, item, work.content.size());
        turn.remove(*push, work);
    } else if (Bundle* bundle = turn.bundle(item.id);
               bundle != nullptr && has_members(work.content, bundle->results.size())) {
        turn.bury_bundle(*bundle, item, work.content, note, true);
        turn.finish_bundle(*bundle);
        work.is_gone = true;
    } else {
        turn.put_aside(work, "it cannot be buried: its push or its members are damaged");
    }
}

// Loads items that nobody can be holding any more, with what they belong to.
void load(Turn& turn, uint64_t node, const Ids& ids) {
    turn.begin();
    turn.are_held_by(node);
    turn.load_items(ids, true);
    Ids pushes, bundles;
    for (const int64_t id : ids) {
        const Turn::Work* work = turn.item(id);
        if (work == nullptr) continue;
        if (work->is.is_bundle()) {
            bundles.push_back(id);
        } else {
            pushes.push_back(work->is.push);
        }
    }
    turn.load_pushes(pushes);
    turn.load_bundles(bundles);
    turn.load_moved();
}

}  // namespace

Nodes::Look Nodes::look(redis::Connection& connection, redis::Deadline deadline) const {
    const std::string key = core_.keys.of("node");
    connection.send(core_.scripts.now, {key}, {});
    connection.send({"HGETALL", key});
    const std::vector<redis::Reply> replies = connection.trip(deadline);
    Look look;
    look.now = replies[0].number();
    for (size_t i = 0; i + 1 < replies[1].size(); i += 2) {
        Row row;
        row.node = from_hex(replies[1][i].text());
        row.text = replies[1][i + 1].text();
        row.home = row.text.substr(0, row.text.find(' '));
        row.is_dead = row.text.ends_with('1');
        const size_t seen = std::min(row.home.size() + 1, row.text.size());
        std::from_chars(row.text.data() + seen, row.text.data() + row.text.size(), row.seen_unix_ms);
        look.rows.push_back(std::move(row));
    }
    return look;
}

Silence::Signs Nodes::signs_of_others(const Look& look, uint64_t observer) {
    Silence::Signs signs;
    for (const Row& row : look.rows) {
        if (!row.is_dead && row.node != observer) signs.emplace(bits(row.node), row.seen_unix_ms);
    }
    return signs;
}

// Unless it gave a sign meanwhile.
void Nodes::declare_dead(redis::Connection& connection, const Row& row, redis::Deadline deadline) const {
    std::string dead = row.text;
    dead.back() = '1';
    Changes changes(core_.keys);
    changes.expect(core_.keys.of("node"), hex(row.node), row.text);
    changes.write("HSET", core_.keys.of("node"), {hex(row.node), dead});
    changes.commit(connection, core_.scripts.commit, deadline);
}

void Nodes::take_over() {
    const redis::Deadline deadline = call_deadline();
    core_.pool.with(deadline, [&](redis::Connection& connection) {
        for (const Row& row : look(connection, deadline).rows) {
            if (row.home == home_ && !row.is_dead) declare_dead(connection, row, deadline);
        }
        while (take_back_portion(connection, deadline)) {
        }
    });
}

void Nodes::leave() noexcept {
    try {
        const redis::Deadline deadline = redis::Clock::now() + kLeaveWithin;
        std::set<uint64_t> nodes;
        {
            const std::lock_guard lock(mutex_);
            nodes = known_;
        }
        core_.pool.with(deadline, [&](redis::Connection& connection) {
            for (const uint64_t node : nodes) {
                const redis::Reply held = connection.run({"SMEMBERS", core_.keys.held(node)}, deadline);
                Ids ids;
                for (size_t i = 0; i < held.size(); ++i) ids.push_back(held[i].number());
                give_back_all(connection, node, ids, deadline);
                connection.run({"HDEL", core_.keys.of("node"), hex(node)}, deadline);
            }
        });
    } catch (const std::exception& error) {
        core_.services.warning("the queue's claims could not be given back at the end; the next start takes them back",
                               {{"reason", error.what()}});
    }
}

void Nodes::give_back_all(redis::Connection& connection, uint64_t node, const Ids& ids,
                          redis::Deadline deadline) const {
    if (ids.empty()) return;
    Turn turn(core_, connection, deadline);
    load(turn, node, ids);
    for (const int64_t id : ids) {
        Turn::Work* work = turn.item(id);
        if (work != nullptr && work->is.owner == node) turn.release(work->is, turn.find(work->is.push));
    }
    turn.commit();
}

void Nodes::put_back(redis::Connection& connection, uint64_t node, const Ids& ids, redis::Deadline deadline) const {
    if (ids.empty()) return;
    Turn turn(core_, connection, deadline);
    load(turn, node, ids);
    Ids back;
    for (const int64_t id : ids) {
        Turn::Work* work = turn.item(id);
        if (work == nullptr || !is_orphan(node, work->is)) continue;
        turn.release(work->is, turn.find(work->is.push));
        back.push_back(id);
    }
    turn.commit();
    for (const int64_t id : back)
        core_.services.warning("a claim that this server does not know of was put back",
                               {{"item", std::to_string(id)}});
}

bool Nodes::is_orphan(uint64_t node, const Item& item) const {
    return item.owner == node && core_.held.is_orphan(item.id, {node, item.epoch, item.serial});
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
    core_.follow_master();
    const redis::Deadline deadline = call_deadline();
    const std::string nodes = core_.keys.of("node"), numbers = core_.keys.of("number");
    const std::string me = hex(node);
    core_.signs.with(deadline, [&](redis::Connection& connection) {
        connection.send(core_.scripts.beat, {nodes, numbers}, {me, home_});
        const std::vector<redis::Reply> replies = connection.trip(deadline);
        const redis::Value answer = replies.front();
        if (answer.is_nil())
            throw Refused(BELFRY_FENCED, "node", "gave no sign of life for a lease; start as a new node");
        pulse.store_unix_ms = answer[0].number();
        pulse.live_nodes = static_cast<uint32_t>(answer[1].number());
        pulse.rank = static_cast<uint32_t>(answer[2].number());
        pulse.changes = answer[3].number();
    });
    const std::lock_guard lock(mutex_);
    known_.insert(node);
}

bool Nodes::reap(uint64_t observer) {
    const redis::Deadline deadline = call_deadline();
    const bool more = core_.pool.with(deadline, [&](redis::Connection& connection) {
        const Look seen = look(connection, deadline);
        const Silence::Signs silent = silence_.look(signs_of_others(seen, observer), core_.services.mono_ns());
        for (const Row& row : seen.rows) {
            if (row.is_dead || !silent.contains(bits(row.node))) continue;
            declare_dead(connection, row, deadline);
            core_.services.warning("a server gave no sign of life, its work is taken over",
                                   {{"node", std::to_string(row.node)}});
        }
        forget_old(connection, seen, deadline);
        return take_back_portion(connection, deadline);
    });
    return more;
}

// Dead nodes of yesterday that hold nothing.
void Nodes::forget_old(redis::Connection& connection, const Look& seen, redis::Deadline deadline) const {
    for (const Row& row : seen.rows) {
        if (!row.is_dead || row.seen_unix_ms + kRememberDeadMs > seen.now) continue;
        Changes changes(core_.keys);
        changes.expect(core_.keys.of("node"), hex(row.node), row.text);
        changes.expect_no(core_.keys.held(row.node));
        changes.write("HDEL", core_.keys.of("node"), {hex(row.node)});
        changes.commit(connection, core_.scripts.commit, deadline);
    }
}

bool Nodes::take_back_portion(redis::Connection& connection, redis::Deadline deadline) const {
    bool more = false;
    for (const Row& row : look(connection, deadline).rows) {
        if (row.is_dead) more = take_back(connection, row.node, deadline) || more;
    }
    return more;
}

bool Nodes::take_back(redis::Connection& connection, uint64_t node, redis::Deadline deadline) const {
    const redis::Reply held =
        connection.run({"SRANDMEMBER", core_.keys.held(node), std::to_string(kPortion)}, deadline);
    if (held.size() == 0) return false;
    Ids ids;
    for (size_t i = 0; i < held.size(); ++i) ids.push_back(held[i].number());
    Turn turn(core_, connection, deadline);
    load(turn, node, ids);
    for (const int64_t id : ids) {
        Turn::Work* work = turn.item(id);
        if (work == nullptr || work->is.owner != node) {
            // Nothing that it holds: it must not stand for ever among what it does.
            turn.writes().changes().write("SREM", core_.keys.held(node), {std::to_string(id)});
            continue;
        }
        if (++work->is.crashes >= kCrashLimit) {
            bury(turn, *work);
        } else {
            turn.release(work->is, turn.find(work->is.push));
        }
    }
    turn.commit();
    core_.bell.ring();
    return held.size() == static_cast<size_t>(kPortion);
}

void Nodes::put_back_orphans(uint64_t node) {
    const redis::Deadline deadline = call_deadline();
    core_.pool.with(deadline, [&](redis::Connection& connection) {
        const redis::Reply held = connection.run({"SMEMBERS", core_.keys.held(node)}, deadline);
        Ids ids, orphans;
        for (size_t i = 0; i < held.size(); ++i) ids.push_back(held[i].number());
        if (ids.empty()) return;
        Turn turn(core_, connection, deadline);
        turn.begin();
        turn.load_items(ids, false);
        for (const int64_t id : ids) {
            const Turn::Work* work = turn.item(id);
            if (work != nullptr && is_orphan(node, work->is)) orphans.push_back(id);
        }
        put_back(connection, node, orphans, deadline);
    });
}

}  // namespace belfry::queue_redis
