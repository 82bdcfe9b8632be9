// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/claims.h"

#include <algorithm>
#include <iterator>

#include "queue/items.h"

namespace belfry::queue_redis {

namespace {

using std::chrono::milliseconds;

// Another process's work is found within this.
constexpr milliseconds kFirstLook{1};
constexpr milliseconds kLongestLook{20};

constexpr int64_t kStoppedShelf = -1;

}  // namespace

std::vector<Grant> Claims::claim(uint64_t node, int32_t lane, Rows<uint32_t> open_gates, uint32_t n, uint32_t wait_ms) {
    if (lane < BELFRY_LANE_HIGH || lane > BELFRY_LANE_LOW)
        throw Refused(BELFRY_BAD_REQUEST, "lane", "must be 1, 2 or 3");
    std::set<int64_t> shelves{kStoppedShelf, 0};
    for (const uint32_t gate : open_gates) shelves.insert(gate);
    const uint32_t most = std::min(n, kClaimMax);
    const redis::Deadline until = redis::Clock::now() + milliseconds(wait_ms);
    milliseconds look = kFirstLook;
    for (;;) {
        const uint64_t rings = core_.bell.rings();
        if (most == 0) return {};
        if (!quiet_.is_quiet(lane, shelves, rings, Quiet::Clock::now())) {
            std::vector<Grant> grants = take(node, lane, shelves, most);
            if (!grants.empty()) return grants;
            quiet_.found_nothing(lane, shelves, rings, Quiet::Clock::now());
        }
        const redis::Deadline now = redis::Clock::now();
        if (now >= until) return {};
        core_.bell.wait(rings, std::min(look, std::chrono::ceil<milliseconds>(until - now)));
        look = std::min(look * 2, kLongestLook);
    }
}

std::vector<Grant> Claims::take(uint64_t node, int32_t lane, const std::set<int64_t>& shelves, uint32_t n) {
    const redis::Deadline deadline = call_deadline();
    const Held::Taking taking(core_.held);
    const Keys& keys = core_.keys;
    std::vector<std::string> names{keys.of("node"), keys.of("item"),      keys.of("time"),
                                   keys.held(node), keys.of("age", lane), keys.of("number")};
    for (const int64_t one : shelves)
        names.push_back(one == kStoppedShelf ? keys.stopped_shelf(lane) : keys.shelf(lane, static_cast<uint32_t>(one)));
    const std::string me = hex(node), owner = holder(node, taking.epoch());
    const std::string lane_text = std::to_string(lane), most = std::to_string(n);
    std::vector<Grant> grants = core_.pool.with(deadline, [&](redis::Connection& connection) {
        connection.send(core_.scripts.claim, {names.begin(), names.end()}, {me, owner, lane_text, most});
        const std::vector<redis::Reply> replies = connection.trip(deadline);
        if (replies.front().is_nil())
            throw Refused(BELFRY_FENCED, "node", "gave no sign of life for a lease; start as a new node");
        std::vector<Grant> found = read(connection, replies.front(), deadline);
        put_aside(connection, node, lane, found, deadline);
        return found;
    });
    park(grants, node, deadline);
    // Last: what fails before leaves orphans, which upkeep puts back.
    for (const Grant& grant : grants) core_.held.add(grant.item.id, {node, grant.item.epoch, grant.item.serial});
    return grants;
}

std::vector<Grant> Claims::read(redis::Connection& connection, const redis::Value& taken, redis::Deadline deadline) {
    std::vector<Grant> grants(taken.size() / 2);
    if (grants.empty()) return grants;
    Ids ids, pushes, marked;
    for (size_t i = 0; i < grants.size(); ++i) {
        Item& item = grants[i].item;
        const int64_t id = taken[2 * i].number();
        ids.push_back(id);
        const std::optional<Item> intact = intact_item(id, taken[2 * i + 1].row());
        item = intact.value_or(Item());
        item.id = id;
        if (!intact) {
            grants[i].damage = "its row is damaged";
            continue;
        }
        if (!item.is_bundle()) pushes.push_back(item.push);
        if (item.is_bundle() && (item.flags & kMarked) != 0) marked.push_back(item.id);
    }
    Turn turn(core_, connection, deadline);
    turn.open();
    send_rows(connection, core_.keys.of("content"), ids);
    const std::vector<redis::Reply> replies = turn.trip_opened();
    turn.load_pushes(pushes);
    turn.load_bundles(marked);
    for (size_t i = 0; i < grants.size(); ++i) {
        Grant& grant = grants[i];
        grant.now = turn.now();
        grant.content = replies[Turn::kOpened][i].row().value_or(std::string_view());
        if (!grant.damage.empty()) continue;
        if (const Push* push = turn.find(grant.item.push)) grant.push = *push;
        if (const Bundle* bundle = turn.bundle(grant.item.id)) grant.marks = marks_of(bundle->results);
        if (grant.push.app != 0) grant.app = core_.apps.name(connection, grant.push.app, deadline);
    }
    for (Grant& grant : grants) {
        if (!grant.damage.empty()) continue;
        if (!grant.item.is_bundle() && grant.push.id == 0) grant.damage = "its push is gone or damaged";
        if (grant.item.is_bundle() && !has_members(grant.content)) grant.damage = "its members are damaged";
    }
    return grants;
}

void Claims::put_aside(redis::Connection& connection, uint64_t node, int32_t lane, std::vector<Grant>& grants,
                       redis::Deadline deadline) {
    std::map<int64_t, std::string> damages;
    Ids ids;
    for (const Grant& grant : grants) {
        if (!grant.damage.empty()) ids.push_back(grant.item.id);
        if (!grant.damage.empty()) damages.emplace(grant.item.id, grant.damage);
    }
    if (ids.empty()) return;
    std::erase_if(grants, [](const Grant& grant) { return !grant.damage.empty(); });
    try {
        Turn turn(core_, connection, deadline);
        turn.begin();
        turn.are_held_by(node);
        turn.load_items(ids, false);
        int64_t unread = 0;
        for (const int64_t id : ids) {
            Turn::Work* work = turn.item(id);
            if (work != nullptr && work->is.owner == node) turn.put_aside(*work, damages.at(id));
            unread += work == nullptr && turn.is_damaged(id) ? 1 : 0;
        }
        // The claim counted them.
        turn.writes().add("held" + std::to_string(lane), -unread);
        turn.commit();
    } catch (const redis::Failure& failure) {
        // Purged with its app between the claim and this, or meant for a later claim to find.
        if (failure.kind() != redis::Failure::Kind::LostRace) throw;
    }
    // There may be others behind them.
    core_.bell.ring();
}

// An item that was put back while its push was being paused.
void Claims::park(std::vector<Grant>& grants, uint64_t node, redis::Deadline deadline) {
    const auto is_paused = [](const Grant& grant) {
        return !grant.item.is_bundle() && grant.push.state == BELFRY_PUSH_PAUSED;
    };
    std::vector<Grant> paused;
    std::copy_if(grants.begin(), grants.end(), std::back_inserter(paused), is_paused);
    if (paused.empty()) return;
    core_.pool.with(deadline, [&](redis::Connection& connection) { put_back(connection, node, paused, deadline); });
    std::erase_if(grants, is_paused);
}

void Claims::put_back(redis::Connection& connection, uint64_t node, const std::vector<Grant>& grants,
                      redis::Deadline deadline) {
    Ids ids, pushes;
    for (const Grant& grant : grants) {
        ids.push_back(grant.item.id);
        if (!grant.item.is_bundle()) pushes.push_back(grant.item.push);
    }
    Turn turn(core_, connection, deadline);
    turn.begin();
    turn.load_items(ids, false);
    turn.load_pushes(pushes);
    for (const Grant& grant : grants) {
        Turn::Work* work = turn.item(grant.item.id);
        if (work == nullptr || work->is.owner != node || work->is.epoch != grant.item.epoch) continue;
        const int64_t since = work->is.ready_unix_ms;
        turn.release(work->is, turn.find(work->is.push));
        work->is.ready_unix_ms = since;
    }
    turn.commit();
    for (const Grant& grant : grants) core_.held.drop(grant.item.id, grant.item.epoch);
}

void Claims::give_back(uint64_t node, const std::vector<Grant>& grants, size_t from) {
    if (from >= grants.size()) return;
    const std::vector<Grant> rest(grants.begin() + static_cast<std::ptrdiff_t>(from), grants.end());
    const redis::Deadline deadline = call_deadline();
    core_.pool.with(deadline, [&](redis::Connection& connection) { put_back(connection, node, rest, deadline); });
}

ClaimedRow Grant::claimed() const {
    if (item.is_bundle()) return {item, marks, content, now};
    const ClaimedPush shown{push.state,           push.live_items,      push.weight, push.id, push.body,
                            push.created_unix_ms, push.expires_unix_ms, app,         push.uid};
    return {item, shown, content, now};
}

}  // namespace belfry::queue_redis
