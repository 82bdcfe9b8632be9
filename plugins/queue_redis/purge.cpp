// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/purge.h"

#include <algorithm>

#include "queue_redis/directory.h"

namespace belfry::queue_redis {

namespace {

constexpr int64_t kPerStep = 100;  // pushes, bundles, dead letters
constexpr const char* kBundlesOfApp = "64";
constexpr const char* kChangesPerStep = "1000";
constexpr int64_t kDayMs = 86'400'000;
constexpr int64_t kLookAgainMs = 3'600'000;
constexpr int64_t kChangeMs = 600'000;

Ids ids_of(const redis::Value& members) {
    Ids ids;
    for (size_t i = 0; i < members.size(); ++i) ids.push_back(members[i].number());
    return ids;
}

Ids first_up_to(redis::Connection& connection, const std::string& key, int64_t score, redis::Deadline deadline) {
    return ids_of(connection.run(
        {"ZRANGEBYSCORE", key, "-inf", std::to_string(score), "LIMIT", "0", std::to_string(kPerStep)}, deadline));
}

struct Named {
    uint32_t app;
    std::string uid;
    Ref ref;
};

// Uids that still mean what they are said to mean stand for nothing any more.
void erase_uids(Turn& turn, const std::vector<Named>& named) {
    if (named.empty()) return;
    std::vector<std::string> fields;
    for (const Named& one : named) fields.push_back(uid_field(one.app, one.uid));
    send_uids(turn.connection(), turn.core().keys, fields);
    const std::vector<redis::Reply> replies = turn.connection().trip(turn.deadline());
    for (size_t i = 0; i < named.size(); ++i) {
        const Named& one = named[i];
        if (replies[0][i].text() == pack(one.ref)) turn.writes().set_uid(one.app, one.uid, one.ref, {});
    }
}

}  // namespace

bool Purge::step(int64_t now) {
    const redis::Deadline deadline = call_deadline();
    return core_.pool.with(deadline, [&](redis::Connection& connection) {
        const int64_t results_before = now - core_.config.results_days * kDayMs;
        bool more = results(connection, results_before, deadline);
        more = bundles(connection, results_before, deadline) || more;
        more = dead(connection, now - core_.config.dead_days * kDayMs, deadline) || more;
        return changes(connection, now - kChangeMs, deadline) || more;
    });
}

bool Purge::results(redis::Connection& connection, int64_t before, redis::Deadline deadline) {
    const Keys& keys = core_.keys;
    const Ids ids = first_up_to(connection, keys.of("final"), before, deadline);
    if (ids.empty()) return false;
    for (const int64_t id : ids) connection.send({"ZCARD", keys.of("letters", id)});
    const std::vector<redis::Reply> letters = connection.trip(deadline);
    Ids old;
    Changes later(keys);
    for (size_t i = 0; i < ids.size(); ++i) {
        if (letters[i].number() == 0) {
            old.push_back(ids[i]);
        } else {  // stays as long as its dead letters
            later.write("ZADD", keys.of("final"),
                        {"XX", std::to_string(before + kLookAgainMs), std::to_string(ids[i])});
        }
    }
    later.commit(connection, core_.scripts.commit, deadline);
    erase_pushes(connection, old, false, deadline);
    return ids.size() == static_cast<size_t>(kPerStep);
}

void Purge::erase_pushes(redis::Connection& connection, const Ids& ids, bool tell, redis::Deadline deadline) {
    if (ids.empty()) return;
    const Keys& keys = core_.keys;
    Turn turn(core_, connection, deadline);
    turn.open();
    for (const int64_t id : ids) {
        connection.send({"SUNION", keys.of("of", id), keys.of("owed", id)});
        connection.send({"ZRANGE", keys.of("letters", id), "0", "-1"});
    }
    const std::vector<redis::Reply> replies = turn.trip_opened();
    Ids items, letters;
    for (size_t i = Turn::kOpened; i < replies.size(); ++i) {
        Ids& into = (i - Turn::kOpened) % 2 == 0 ? items : letters;
        for (const int64_t id : ids_of(replies[i])) into.push_back(id);
    }
    turn.load_items(items, false);
    for (const int64_t id : items) {
        if (Turn::Work* work = turn.item(id)) work->is_gone = true;
        if (turn.is_damaged(id)) turn.writes().erase_damaged(id);
    }
    turn.erase_letters(letters);
    turn.load_pushes(ids);
    std::vector<Named> named;
    for (const int64_t id : ids) {
        const Push* push = turn.find(id);
        if (push == nullptr) turn.writes().erase_damaged("push", "final", id);
        if (push == nullptr) continue;
        named.push_back({push->app, push->uid, {id, -1}});
        if (tell && push->finished_unix_ms == 0)
            turn.writes().tell(turn.now(), id, push->app, BELFRY_PUSH_CANCELLED, push->uid);
        turn.erase(id);
    }
    erase_uids(turn, named);
    turn.commit();
}

bool Purge::bundles(redis::Connection& connection, int64_t before, redis::Deadline deadline) {
    const Ids ids = first_up_to(connection, core_.keys.of("gone"), before, deadline);
    if (ids.empty()) return false;
    Turn turn(core_, connection, deadline);
    turn.begin();
    turn.load_bundles(ids);
    std::vector<Named> named;
    for (const int64_t id : ids) {
        const Bundle* bundle = turn.bundle(id);
        if (bundle == nullptr) turn.writes().erase_damaged("bundle", "gone", id);
        if (bundle == nullptr) continue;
        for (size_t i = 0; i < bundle->results.size(); ++i)
            named.push_back({bundle->results[i].app, bundle->results[i].uid, {id, static_cast<int32_t>(i)}});
        turn.erase_bundle(id);
    }
    erase_uids(turn, named);
    turn.commit();
    return ids.size() == static_cast<size_t>(kPerStep);
}

bool Purge::dead(redis::Connection& connection, int64_t before, redis::Deadline deadline) {
    const Ids ids = first_up_to(connection, core_.keys.of("buried"), before, deadline);
    if (ids.empty()) return false;
    Turn turn(core_, connection, deadline);
    turn.begin();
    const Ids pushes = turn.erase_letters(ids);
    turn.commit();
    free_bodies(connection, pushes, deadline);
    return ids.size() == static_cast<size_t>(kPerStep);
}

// Of final pushes that kept them for their dead letters.
void Purge::free_bodies(redis::Connection& connection, const Ids& pushes, redis::Deadline deadline) {
    if (pushes.empty()) return;
    Turn turn(core_, connection, deadline);
    turn.open();
    for (const int64_t id : pushes) connection.send({"SCARD", core_.keys.of("waiting", id)});
    const std::vector<redis::Reply> replies = turn.trip_opened();
    turn.load_pushes(pushes);
    for (size_t i = 0; i < pushes.size(); ++i) {
        Push* push = turn.find(pushes[i]);
        if (push == nullptr || push->finished_unix_ms == 0 || replies[Turn::kOpened + i].number() > 0) continue;
        turn.writes().erase_blobs(*push);
        push->body = 0;
    }
    turn.commit();
}

bool Purge::changes(redis::Connection& connection, int64_t before, redis::Deadline deadline) {
    const std::string key = core_.keys.of("change");
    const redis::Reply oldest = connection.run({"ZRANGE", key, "0", kChangesPerStep}, deadline);
    int64_t last = 0;
    for (size_t i = 0; i < oldest.size(); ++i) {
        const std::optional<Told> told = intact_told(oldest[i].text());
        if (!told) continue;  // goes with what is behind it
        if (told->at_unix_ms >= before) break;
        last = told->number;
    }
    if (last == 0) return false;
    const redis::Reply gone = connection.run({"ZREMRANGEBYSCORE", key, "-inf", std::to_string(last)}, deadline);
    return gone.number() > std::stoll(kChangesPerStep);
}

bool Purge::app(std::string_view name, uint32_t limit) {
    const redis::Deadline deadline = call_deadline();
    return core_.pool.with(deadline, [&](redis::Connection& connection) {
        const uint32_t app = core_.apps.find(connection, name, deadline);
        if (app == 0) return false;
        const int64_t most = std::clamp<int64_t>(limit, 1, kPerStep);
        const Ids ids =
            ids_of(connection.run({"ZRANGE", core_.keys.of("pushes", app), "0", std::to_string(most - 1)}, deadline));
        erase_pushes(connection, ids, true, deadline);
        // Damaged ones are not known to be of this app.
        for (const int64_t id : ids) connection.send({"ZREM", core_.keys.of("pushes", app), std::to_string(id)});
        if (!ids.empty()) connection.trip(deadline);
        if (ids.size() == static_cast<size_t>(most)) return true;
        return members_of(connection, app, deadline);
    });
}

// Members of bundles, which other apps may share: their places stay.
bool Purge::members_of(redis::Connection& connection, uint32_t app, redis::Deadline deadline) {
    const std::string key = core_.keys.of("bundles", app);
    const Ids ids = ids_of(connection.run({"ZRANGE", key, "0", kBundlesOfApp}, deadline));
    if (ids.empty()) return false;
    Turn turn(core_, connection, deadline);
    turn.begin();
    turn.load_bundles(ids);
    turn.load_items(ids, false);
    std::vector<Named> named;
    for (const int64_t id : ids) {
        turn.writes().changes().write("ZREM", key, {std::to_string(id)});
        Bundle* bundle = turn.bundle(id);
        if (bundle == nullptr) continue;
        for (size_t i = 0; i < bundle->results.size(); ++i) {
            MemberResult& result = bundle->results[i];
            if (result.app != app || result.moved_to != 0) continue;
            named.push_back({app, result.uid, {id, static_cast<int32_t>(i)}});
            if (result.finished_unix_ms == 0) turn.writes().tell(turn.now(), 0, app, BELFRY_PUSH_CANCELLED, result.uid);
            result = {};
            result.app = app;
            result.moved_to = kErased;
        }
        if (Turn::Work* work = turn.item(id)) work->is.flags |= kMarked;
    }
    erase_uids(turn, named);
    turn.commit();
    return true;
}

}  // namespace belfry::queue_redis
