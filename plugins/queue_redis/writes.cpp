// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/writes.h"

#include <belfry/services.hpp>
#include <charconv>

#include "queue/packing.h"

namespace belfry::queue_redis {

namespace {

constexpr int64_t kAnswerMs = 60'000;  // some times the deadline of a call

bool same_spot(const Item& a, const Item& b) {
    const auto spot = [](const Item& item) {
        const bool ready = item.is_ready();
        return std::tuple(item.place, item.lane, item.gate, item.owner, ready ? item.vt : 0,
                          ready ? item.ready_unix_ms : 0, item.place == Place::Later ? item.due_unix_ms : 0);
    };
    return spot(a) == spot(b);
}

// What an unfinished push is counted as.
const char* category(const Push& push) {
    return push.state == BELFRY_PUSH_DELAYED ? "delayed" : "running";
}

std::string counter(uint32_t gate, int32_t outcome) {
    return std::to_string(gate) + ":" + std::to_string(outcome);
}

}  // namespace

std::string Writes::shelf_of(const Item& item) const {
    return item.place == Place::Stopped ? keys_.stopped_shelf(item.lane) : keys_.shelf(item.lane, item.gate);
}

void Writes::index(const Item& item, bool adding) {
    const std::string id = std::to_string(item.id);
    const int64_t one = adding ? 1 : -1;
    const auto rank = [&](const std::string& key, int64_t score) {
        adding ? changes_.write("ZADD", key, {std::to_string(score), id}) : changes_.write("ZREM", key, {id});
    };
    switch (item.place) {
        case Place::Ready:
        case Place::Stopped:
            rank(shelf_of(item), item.vt);
            rank(keys_.of("age", item.lane), item.ready_unix_ms);
            break;
        case Place::Held:
            changes_.write(adding ? "SADD" : "SREM", keys_.held(item.owner), {id});
            add("held" + std::to_string(item.lane), one);
            break;
        case Place::Parked:
            add("parked", one);
            break;
        case Place::Later:
            rank(keys_.of("later"), item.due_unix_ms);
            break;
    }
}

// Among the items of its push.
void Writes::enlist(const Item& item, bool adding) {
    if (item.is_bundle()) return;
    const char* set = item.place == Place::Later ? "owed" : "of";
    changes_.write(adding ? "SADD" : "SREM", keys_.of(set, item.push), {std::to_string(item.id)});
}

void Writes::save(const Item* was, const Item* is) {
    const std::string before = was != nullptr ? pack(*was) : std::string();
    const std::string after = is != nullptr ? pack(*is) : std::string();
    if (before == after) return;
    const std::string key = keys_.of("item");
    const std::string id = std::to_string(was != nullptr ? was->id : is->id);
    if (was != nullptr) changes_.expect(key, id, before);
    if (is != nullptr) {
        changes_.write("HSET", key, {id, after});
    } else {
        changes_.write("HDEL", key, {id});
        erase_content(was->id);
    }
    const bool moved = was == nullptr || is == nullptr || !same_spot(*was, *is);
    const bool crossed = was == nullptr || is == nullptr || (was->place == Place::Later) != (is->place == Place::Later);
    if (was != nullptr && moved) index(*was, false);
    if (was != nullptr && crossed) enlist(*was, false);
    if (is != nullptr && moved) index(*is, true);
    if (is != nullptr && crossed) enlist(*is, true);
}

// Where an unfinished or a final push is found.
void Writes::index(const Push& push, bool adding) {
    const std::string id = std::to_string(push.id);
    const int64_t one = adding ? 1 : -1;
    const auto rank = [&](const std::string& key, int64_t score) {
        adding ? changes_.write("ZADD", key, {std::to_string(score), id}) : changes_.write("ZREM", key, {id});
    };
    if (push.finished_unix_ms != 0) return rank(keys_.of("final"), push.finished_unix_ms);
    add(category(push), one);
    if (push.state != BELFRY_PUSH_DELAYED) add("app" + std::to_string(push.app), one);
    if (push.expires_unix_ms != 0 && !is_stopped(push.state)) rank(keys_.of("expiring"), push.expires_unix_ms);
}

void Writes::save(const Push* was, const Push* is) {
    const std::string before = was != nullptr ? pack(*was) : std::string();
    const std::string after = is != nullptr ? pack(*is) : std::string();
    if (before == after) return;
    const std::string key = keys_.of("push");
    const int64_t number = was != nullptr ? was->id : is->id;
    const std::string id = std::to_string(number);
    if (was != nullptr) {
        changes_.expect(key, id, before);
        index(*was, false);
    }
    if (is != nullptr) {
        changes_.write("HSET", key, {id, after});
        index(*is, true);
        if (was == nullptr) changes_.write("ZADD", keys_.of("pushes", is->app), {id, id});
        return;
    }
    changes_.write("HDEL", key, {id});
    changes_.write("ZREM", keys_.of("pushes", was->app), {id});
    for (const char* name : {"closing", "restless"}) changes_.write("SREM", keys_.of(name), {id});
    for (const char* name : {"count", "sample", "letters", "waiting"}) changes_.erase(keys_.of(name, number));
}

void Writes::rely_on(const Push& push) {
    changes_.expect(keys_.of("push"), std::to_string(push.id), pack(push));
}

void Writes::save(const Bundle* was, const Bundle* is) {
    const std::string key = keys_.of("bundle");
    const std::string id = std::to_string(was != nullptr ? was->id : is->id);
    if (was != nullptr) changes_.expect(key, id, pack_version(*was));
    add("members", (is != nullptr ? open_members(*is) : 0) - (was != nullptr ? open_members(*was) : 0));
    if (is == nullptr) {
        changes_.write("HDEL", key, {id});
        changes_.write("ZREM", keys_.of("gone"), {id});
    } else {
        changes_.write("HSET", key, {id, pack(*is)});
        if (is->finished_unix_ms != 0)
            changes_.write("ZADD", keys_.of("gone"), {std::to_string(is->finished_unix_ms), id});
    }
    std::set<uint32_t> apps;
    for (const MemberResult& result : (was != nullptr ? was : is)->results) apps.insert(result.app);
    for (const uint32_t app : apps) {
        if (was == nullptr) changes_.write("ZADD", keys_.of("bundles", app), {id, id});
        if (is == nullptr) changes_.write("ZREM", keys_.of("bundles", app), {id});
    }
}

void Writes::save(const Letter* was, const Letter* is) {
    const Letter& any = was != nullptr ? *was : *is;
    const std::string key = keys_.of("dead");
    const std::string id = std::to_string(any.work.id);
    const bool waited = was != nullptr && was->replayed_unix_ms == 0;
    const bool waits = is != nullptr && is->replayed_unix_ms == 0;
    if (was != nullptr) changes_.expect(key, id, pack(*was));
    add("dead", (waits ? 1 : 0) - (waited ? 1 : 0));
    if (waits != waited) changes_.write(waits ? "SADD" : "SREM", keys_.of("waiting", any.work.push), {id});
    if (is != nullptr) changes_.write("HSET", key, {id, pack(*is)});
    if (is == nullptr) changes_.write("HDEL", key, {id});
    if (was != nullptr && is != nullptr) return;
    const auto rank = [&](const std::string& where, const std::string& score) {
        is != nullptr ? changes_.write("ZADD", where, {score, id}) : changes_.write("ZREM", where, {id});
    };
    rank(keys_.of("graves", any.app), id);
    rank(keys_.of("letters", any.work.push), id);
    rank(keys_.of("buried"), std::to_string(any.buried_unix_ms));
}

void Writes::set_content(int64_t id, std::string_view bytes) {
    if (!bytes.empty()) changes_.write("HSET", keys_.of("content"), {std::to_string(id), bytes});
}

void Writes::erase_content(int64_t id) {
    changes_.write("HDEL", keys_.of("content"), {std::to_string(id)});
}

void Writes::insert_blob(int64_t id, std::string_view bytes) {
    changes_.write("HSET", keys_.of("blob"), {std::to_string(id), bytes});
}

void Writes::erase_blobs(const Push& push) {
    for (int64_t id = push.body; push.body != 0 && id <= push.body + push.blobs; ++id)
        changes_.write("HDEL", keys_.of("blob"), {std::to_string(id)});
}

void Writes::set_uid(uint32_t app, std::string_view uid, const Ref& was, const Ref& is) {
    const std::string key = keys_.of("uid");
    const std::string field = uid_field(app, uid);
    changes_.expect(key, field, was.ref == 0 ? std::string() : pack(was));
    if (is.ref == 0) return changes_.write("HDEL", key, {field});
    changes_.write("HSET", key, {field, pack(is)});
}

void Writes::count(int64_t push, uint32_t gate, int32_t outcome, int64_t n) {
    if (n != 0) counts_[{push, gate, outcome}] += n;
}

void Writes::sample(int64_t push, uint32_t gate, int32_t outcome, std::string_view text) {
    Packer row;
    row.number(gate);
    row.number(outcome);
    row.text(text.substr(0, kSampleBytesMax));
    changes_.write("RPUSH", keys_.of("sample", push), {row.bytes()});
    changes_.write("LTRIM", keys_.of("sample", push), {"0", std::to_string(kSamplesMax - 1)});
}

void Writes::tell(int64_t now, int64_t push, uint32_t app, int32_t state, std::string_view uid) {
    Packer row;
    row.number(now);
    row.number(push);
    row.number(app);
    row.number(state);
    row.text(uid);
    changes_.tell(row.take());
}

std::optional<Told> intact_told(std::string_view member) {
    Told told;
    const size_t space = member.find(' ');
    std::from_chars(member.data(), member.data() + member.size(), told.number);
    try {
        Unpacker in(space == std::string_view::npos ? std::string_view() : member.substr(space + 1));
        told.at_unix_ms = in.number<int64_t>();
        told.push = in.number<int64_t>();
        told.app = in.number<uint32_t>();
        told.state = in.number<int32_t>();
        told.uid = in.text();
    } catch (const Refused&) {
        return std::nullopt;
    }
    return told;
}

void Writes::reply(const std::string& key, std::string_view field, std::string_view answer) {
    changes_.write("HSET", key, {field, answer});
    changes_.write("PEXPIRE", key, {std::to_string(2 * Keys::kReplySlotMs)});
}

void Writes::answer(const std::string& key, std::string_view answer) {
    changes_.write("HSET", key, {"answer", answer});
    changes_.write("PEXPIRE", key, {std::to_string(kAnswerMs)});
}

void Writes::put_aside(int64_t item, const std::string& held_by) {
    const std::string id = std::to_string(item);
    changes_.write("HSET", keys_.of("aside"), {id, "1"});
    for (int32_t lane = BELFRY_LANE_HIGH; lane <= BELFRY_LANE_LOW; ++lane) {
        changes_.write("ZREM", keys_.of("age", lane), {id});
        changes_.write("ZREM", keys_.stopped_shelf(lane), {id});
    }
    changes_.write("ZREM", keys_.of("later"), {id});
    if (!held_by.empty()) changes_.write("SREM", held_by, {id});
}

void Writes::erase_damaged(int64_t item) {
    for (const char* name : {"item", "content", "aside"})
        changes_.write("HDEL", keys_.of(name), {std::to_string(item)});
}

void Writes::erase_damaged(std::string_view rows, std::string_view set, int64_t id) {
    changes_.write("HDEL", keys_.of(rows), {std::to_string(id)});
    changes_.write("ZREM", keys_.of(set), {std::to_string(id)});
}

void Writes::unsettle(int64_t push) {
    changes_.write("SADD", keys_.of("restless"), {std::to_string(push)});
}

std::vector<int64_t> Writes::commit(redis::Connection& connection, const redis::Script& script,
                                    redis::Deadline deadline) {
    for (const auto& [key, n] : counts_) {
        const auto& [push, gate, outcome] = key;
        changes_.write("HINCRBY", keys_.of("count", push), {counter(gate, outcome), std::to_string(n)});
    }
    for (const auto& [name, n] : numbers_) {
        if (n != 0) changes_.write("HINCRBY", keys_.of("number"), {name, std::to_string(n)});
    }
    return changes_.commit(connection, script, deadline);
}

}  // namespace belfry::queue_redis
