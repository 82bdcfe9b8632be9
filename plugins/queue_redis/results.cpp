// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/results.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "queue/packing.h"
#include "queue_redis/directory.h"
#include "queue_redis/turn.h"

namespace belfry::queue_redis {

namespace {

constexpr size_t kBundlesPerLook = 64;
constexpr size_t kPushesPerLook = 1000;

PushView view_of(const Push& push, int64_t now) {
    PushView view;
    view.state = push.state;
    view.lane = push.lane;
    view.planned_final = push.bundle == 0;
    view.created_unix_ms = push.created_unix_ms;
    view.send_at_unix_ms = push.send_at_unix_ms;
    view.expires_unix_ms = push.expires_unix_ms;
    view.finished_unix_ms = push.finished_unix_ms;
    view.body = push.body;
    view.uid = push.uid;
    view.id = push.id;
    const bool open = push.finished_unix_ms == 0;
    if (open && is_expired(push.expires_unix_ms, now) && !is_stopped(push.state)) view.state = BELFRY_PUSH_EXPIRED;
    return view;
}

PushView view_of(const Bundle& bundle, size_t member) {
    PushView view;
    const MemberResult& result = bundle.results[member];
    view.state = result.state;
    view.lane = bundle.lane;
    view.planned_final = result.finished_unix_ms != 0;
    view.live_items = result.finished_unix_ms == 0 ? 1 : 0;
    view.created_unix_ms = bundle.created_unix_ms;
    view.expires_unix_ms = result.expires_unix_ms;
    view.finished_unix_ms = result.finished_unix_ms;
    view.uid = result.uid;
    view.counters = result.counters;
    view.id = bundle.id;
    view.member = static_cast<int64_t>(member);
    return view;
}

void add_members(const Bundle& bundle, uint32_t app, int32_t state, const ListPosition& below,
                 std::vector<PushView>& views) {
    for (size_t member = 0; member < bundle.results.size(); ++member) {
        const MemberResult& result = bundle.results[member];
        if (result.app != app || result.moved_to != 0 || (state != 0 && result.state != state)) continue;
        if (bundle.id == below.id && static_cast<int64_t>(member) >= below.member) continue;
        views.push_back(view_of(bundle, member));
    }
}

// What the items of an unfinished push say of it.
void add_items(const redis::Value& rows, PushView& view) {
    for (size_t i = 0; i < rows.size(); ++i) {
        const std::optional<Item> found = intact_item(0, rows[i].row());
        if (!found) continue;
        const Item& item = *found;
        if ((item.flags & kInitial) != 0) view.planned_final = false;
        if (item.place == Place::Later) continue;
        ++view.live_items;
        if (item.kind == BELFRY_WORK_SLICE) view.range_left += item.hi - item.after;
    }
}

Ids ids_of(const redis::Value& members) {
    Ids ids;
    for (size_t i = 0; i < members.size(); ++i) ids.push_back(members[i].number());
    return ids;
}

}  // namespace

Counters read_counters(const redis::Value& fields) {
    Counters counters;
    for (size_t i = 0; i + 1 < fields.size(); i += 2) {
        const std::string_view name = fields[i].text();
        const char* const end = name.data() + name.size();
        uint32_t gate = 0;
        int32_t outcome = 0;
        const char* const colon = std::from_chars(name.data(), end, gate).ptr;
        if (colon != end) std::from_chars(colon + 1, end, outcome);
        const int64_t n = std::max<int64_t>(0, fields[i + 1].number());
        if (outcome == kPlanned) {
            counters.planned += n;
        } else {
            counters.add(gate, outcome, n);
        }
    }
    return counters;
}

Counters read_counters(const redis::Value& fields, const redis::Value& samples) {
    Counters counters = read_counters(fields);
    for (size_t i = 0; i < samples.size(); ++i) {
        Unpacker in(samples[i].text());
        const auto gate = in.number<uint32_t>();
        const auto outcome = in.number<int32_t>();
        counters.keep_sample(gate, outcome, in.text());
    }
    return counters;
}

std::vector<PushView> Results::views_of(redis::Connection& connection, const std::vector<Push>& pushes,
                                        redis::Deadline deadline) {
    std::vector<PushView> views;
    if (pushes.empty()) return views;
    const Keys& keys = core_.keys;
    connection.send(core_.scripts.now, {keys.of("push")}, {});
    for (const Push& push : pushes) {
        connection.send({"HGETALL", keys.of("count", push.id)});
        connection.send({"LRANGE", keys.of("sample", push.id), "0", "-1"});
        connection.send({"SUNION", keys.of("of", push.id), keys.of("owed", push.id)});
    }
    const std::vector<redis::Reply> replies = connection.trip_past_damage(deadline);
    std::vector<size_t> asked;
    for (size_t i = 0; i < pushes.size(); ++i) {
        PushView& view = views.emplace_back(view_of(pushes[i], replies[0].number()));
        view.counters = read_counters(replies[1 + 3 * i], replies[2 + 3 * i]);
        const Ids items = ids_of(replies[3 + 3 * i]);
        if (items.empty() || view.finished_unix_ms != 0) continue;
        send_rows(connection, keys.of("item"), items);
        asked.push_back(i);
    }
    if (asked.empty()) return views;
    const std::vector<redis::Reply> rows = connection.trip(deadline);
    for (size_t i = 0; i < asked.size(); ++i) add_items(rows[i], views[asked[i]]);
    return views;
}

std::vector<PushView> Results::lookup(std::string_view app, Rows<belfry_str> uids) {
    const redis::Deadline deadline = call_deadline();
    return core_.reads.with(deadline, [&](redis::Connection& connection) {
        std::vector<PushView> found;
        const uint32_t number = core_.apps.find(connection, app, deadline);
        const std::vector<Ref> refs = find_refs(core_, connection, number, uids, deadline);
        Ids wanted, bundles;
        for (const Ref& ref : refs) {
            if (ref.ref != 0) (ref.member < 0 ? wanted : bundles).push_back(ref.ref);
        }
        Turn turn(core_, connection, deadline);
        turn.load_bundles(bundles);
        turn.load_pushes(wanted);
        std::vector<Push> pushes;
        for (const int64_t id : wanted) {
            if (const Push* push = turn.find(id)) pushes.push_back(*push);
        }
        std::map<int64_t, PushView> shown;
        for (PushView& view : views_of(connection, pushes, deadline)) shown.emplace(view.id, std::move(view));
        for (uint32_t i = 0; i < refs.size(); ++i) {
            const auto push = refs[i].member < 0 ? shown.find(refs[i].ref) : shown.end();
            const Bundle* bundle = refs[i].member < 0 ? nullptr : turn.bundle(refs[i].ref);
            if (push != shown.end()) {
                found.push_back(push->second);
            } else if (bundle != nullptr && static_cast<size_t>(refs[i].member) < bundle->results.size()) {
                found.push_back(view_of(*bundle, static_cast<size_t>(refs[i].member)));
            } else {
                continue;
            }
            found.back().index = i;
            found.back().app = app;
        }
        return found;
    });
}

Results::Found Results::pushes_below(redis::Connection& connection, uint32_t app, int32_t state, int64_t below,
                                     size_t want, redis::Deadline deadline) {
    const size_t look = state == 0 ? want : kPushesPerLook;
    const redis::Reply reply = connection.run({"ZREVRANGEBYSCORE", core_.keys.of("pushes", app),
                                               "(" + std::to_string(below), "-inf", "LIMIT", "0", std::to_string(look)},
                                              deadline);
    const Ids ids = ids_of(reply);
    Found found;
    if (ids.empty()) return found;
    if (ids.size() == look) found.looked_to = ids.back();
    send_rows(connection, core_.keys.of("push"), ids);
    const std::vector<redis::Reply> rows = connection.trip(deadline);
    for (size_t i = 0; i < ids.size(); ++i) {
        std::optional<Push> push = intact_push(ids[i], rows[0][i].row());
        if (!push || (state != 0 && push->state != state)) continue;
        found.pushes.push_back(std::move(*push));
        if (found.pushes.size() < want) continue;
        found.looked_to = ids[i];
        break;
    }
    return found;
}

std::string Results::list(std::string_view app, int32_t state, std::string_view cursor, uint32_t limit,
                          std::vector<PushView>& views) {
    const ListPosition from = parse_cursor(cursor);
    const size_t want = std::clamp<size_t>(limit, 1, kListMax);
    const redis::Deadline deadline = call_deadline();
    return core_.reads.with(deadline, [&](redis::Connection& connection) -> std::string {
        views.clear();
        const uint32_t number = core_.apps.find(connection, app, deadline);
        if (number == 0) return {};
        // What was looked through counts, not what was found: a rare state must not walk every push of a week.
        const Found found = pushes_below(connection, number, state, from.id, want, deadline);
        views = views_of(connection, found.pushes, deadline);
        int64_t complete_to = found.looked_to;
        // The bundle that the last page ended in may have more members.
        const std::string top = (from.member > 0 ? "" : "(") + std::to_string(from.id);
        const redis::Reply below = connection.run({"ZREVRANGEBYSCORE", core_.keys.of("bundles", number), top, "-inf",
                                                   "LIMIT", "0", std::to_string(kBundlesPerLook)},
                                                  deadline);
        const Ids ids = ids_of(below);
        Turn turn(core_, connection, deadline);
        turn.load_bundles(ids);
        // A bundle holds members of several apps and states.
        for (const int64_t id : ids) {
            if (const Bundle* bundle = turn.bundle(id)) add_members(*bundle, number, state, from, views);
        }
        if (ids.size() == kBundlesPerLook) complete_to = std::max(complete_to, ids.back());
        for (PushView& view : views) view.app = app;
        return cut_list(views, want, complete_to);
    });
}

}  // namespace belfry::queue_redis
