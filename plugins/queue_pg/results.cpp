// SPDX-License-Identifier: Apache-2.0
#include "queue_pg/results.h"

#include <algorithm>

#include "queue_pg/directory.h"
#include "queue_pg/tables.h"

namespace belfry::queue_pg {

namespace {

constexpr size_t kBundlesPerLook = 64;

// A push with what is shown of its work: live items, key space left, whether anything may still be discovered.
const std::string kShown = std::string("SELECT ") + kPushColumns +
                           ", coalesce((SELECT sum(i.hi - i.after) FROM queue_item i WHERE i.push = p.id AND i.push > "
                           "0 AND i.kind = 1), 0)::bigint, p.bundle = 0 AND NOT EXISTS (SELECT FROM queue_item i WHERE "
                           "i.push = p.id AND i.push > 0 AND i.flags & 2 <> 0) AND NOT EXISTS (SELECT FROM queue_later "
                           "l WHERE l.push = p.id AND l.flags & 2 <> 0) FROM queue_push p ";
constexpr int kRangeAt = kPushColumnCount;
constexpr int kFinalAt = kRangeAt + 1;
const std::string kByIds = kShown + "WHERE p.id = ANY ($1::bigint[])";
const std::string kOfApp = kShown + "WHERE p.app = $1 AND p.id < $2 ORDER BY p.id DESC LIMIT $3";
const std::string kOfAppInState =
    kShown + "WHERE p.app = $1 AND p.id < $2 AND p.state = $4 ORDER BY p.id DESC LIMIT $3";
const std::string kBundlesByIds =
    std::string("SELECT ") + kBundleColumns + " FROM queue_bundle b WHERE b.id = ANY ($1::bigint[])";
const std::string kBundlesBelow =
    std::string("SELECT ") + kBundleColumns + " FROM queue_bundle b WHERE b.id < $1 ORDER BY b.id DESC LIMIT $2";
constexpr const char* kNow = "SELECT queue_now()";
// One statement, so that a counter is seen either here or there.
constexpr const char* kCounters =
    "SELECT c.push, c.gate, c.outcome, sum(c.n)::bigint FROM (SELECT push, gate, outcome, n FROM queue_tally "
    "WHERE push = ANY ($1::bigint[]) UNION ALL SELECT push, gate, outcome, n FROM queue_delta "
    "WHERE push = ANY ($1::bigint[])) c GROUP BY c.push, c.gate, c.outcome ORDER BY c.push, c.gate, c.outcome";
constexpr const char* kSamples =
    "SELECT push, gate, outcome, text FROM queue_sample WHERE push = ANY ($1::bigint[]) ORDER BY push, id";

PushView view_of(const pg::Result& rows, int row, int64_t now) {
    const Push push = read_push(rows, row);
    PushView view;
    view.state = push.state;
    view.lane = push.lane;
    view.planned_final = rows.bytes(row, kFinalAt)[0] != 0;
    view.created_unix_ms = push.created_unix_ms;
    view.send_at_unix_ms = push.send_at_unix_ms;
    view.expires_unix_ms = push.expires_unix_ms;
    view.finished_unix_ms = push.finished_unix_ms;
    view.body = push.body;
    view.uid = push.uid;
    view.id = push.id;
    if (push.finished_unix_ms != 0) return view;
    view.live_items = push.live_items;
    view.range_left = rows.number(row, kRangeAt);
    if (is_expired(push.expires_unix_ms, now) && !is_stopped(push.state)) view.state = BELFRY_PUSH_EXPIRED;
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

void add_counters(pg::Connection& connection, std::vector<PushView>& views, pg::Deadline deadline) {
    std::vector<int64_t> ids;
    for (const PushView& view : views) {
        if (view.member < 0) ids.push_back(view.id);
    }
    std::map<int64_t, Counters> counters = read_counters(connection, ids, deadline);
    for (PushView& view : views) {
        if (view.member < 0) view.counters = counters[view.id];
    }
}

}  // namespace

std::map<int64_t, Counters> read_counters(pg::Connection& connection, const std::vector<int64_t>& ids,
                                          pg::Deadline deadline) {
    std::map<int64_t, Counters> found;
    if (ids.empty()) return found;
    connection.send(kCounters, pg::Params().column(pg::numbers(ids)));
    connection.send(kSamples, pg::Params().column(pg::numbers(ids)));
    const std::vector<pg::Result> results = connection.trip(deadline);
    for (int row = 0; row < results[0].rows(); ++row) {
        Counters& counters = found[results[0].number(row, 0)];
        const int32_t outcome = results[0].number4(row, 2);
        const int64_t n = std::max<int64_t>(0, results[0].number(row, 3));
        if (outcome == kPlanned) {
            counters.planned += n;
        } else {
            counters.add(static_cast<uint32_t>(results[0].number(row, 1)), outcome, n);
        }
    }
    for (int row = 0; row < results[1].rows(); ++row) {
        found[results[1].number(row, 0)].keep_sample(static_cast<uint32_t>(results[1].number(row, 1)),
                                                     results[1].number4(row, 2), results[1].bytes(row, 3));
    }
    return found;
}

std::vector<PushView> Results::lookup(std::string_view app, Rows<belfry_str> uids) {
    const pg::Deadline deadline = call_deadline();
    return core_.reads.with(deadline, [&](pg::Connection& connection) {
        const std::vector<Ref> refs = find_refs(connection, core_.apps.find(connection, app, deadline), uids, deadline);
        std::vector<int64_t> pushes, bundles;
        for (const Ref& ref : refs) {
            if (ref.ref != 0) (ref.member < 0 ? pushes : bundles).push_back(ref.ref);
        }
        connection.send(kNow);
        connection.send(kByIds, pg::Params().column(pg::numbers(pushes)));
        connection.send(kBundlesByIds, pg::Params().column(pg::numbers(bundles)));
        const std::vector<pg::Result> results = connection.trip(deadline);
        std::map<int64_t, PushView> shown;
        std::map<int64_t, Bundle> packed;
        for (int row = 0; row < results[1].rows(); ++row) {
            PushView view = view_of(results[1], row, results[0].number(0, 0));
            shown.emplace(view.id, std::move(view));
        }
        for (int row = 0; row < results[2].rows(); ++row) {
            Bundle bundle = read_bundle(results[2], row);
            packed.emplace(bundle.id, std::move(bundle));
        }
        std::vector<PushView> views;
        for (uint32_t i = 0; i < refs.size(); ++i) {
            const auto push = refs[i].member < 0 ? shown.find(refs[i].ref) : shown.end();
            const auto bundle = refs[i].member < 0 ? packed.end() : packed.find(refs[i].ref);
            if (push != shown.end()) {
                views.push_back(push->second);
            } else if (bundle != packed.end() && static_cast<size_t>(refs[i].member) < bundle->second.results.size()) {
                views.push_back(view_of(bundle->second, static_cast<size_t>(refs[i].member)));
            } else {
                continue;
            }
            views.back().index = i;
            views.back().app = app;
        }
        add_counters(connection, views, deadline);
        return views;
    });
}

std::string Results::list(std::string_view app, int32_t state, std::string_view cursor, uint32_t limit,
                          std::vector<PushView>& views) {
    const ListPosition from = parse_cursor(cursor);
    const size_t want = std::clamp<size_t>(limit, 1, kListMax);
    const pg::Deadline deadline = call_deadline();
    return core_.reads.with(deadline, [&](pg::Connection& connection) -> std::string {
        views.clear();
        const uint32_t number = core_.apps.find(connection, app, deadline);
        if (number == 0) return {};
        // The bundle that the last page ended in may have more members.
        constexpr int64_t kTop = std::numeric_limits<int64_t>::max();
        const int64_t bundles_below = from.member > 0 && from.id < kTop ? from.id + 1 : from.id;
        pg::Params of_app;
        of_app.number4(static_cast<int32_t>(number)).number(from.id).number(static_cast<int64_t>(want));
        if (state != 0) of_app.number4(state);
        connection.send(kNow);
        connection.send(state == 0 ? kOfApp : kOfAppInState, of_app);
        connection.send(kBundlesBelow, pg::Params().number(bundles_below).number(int64_t{kBundlesPerLook}));
        const std::vector<pg::Result> results = connection.trip(deadline);
        for (int row = 0; row < results[1].rows(); ++row)
            views.push_back(view_of(results[1], row, results[0].number(0, 0)));
        int64_t complete_to = 0;
        if (views.size() == want) complete_to = views.back().id;
        // A bundle holds members of several apps and states: what was looked through counts, not what was found.
        for (int row = 0; row < results[2].rows(); ++row) {
            const Bundle bundle = read_bundle(results[2], row);
            add_members(bundle, number, state, from, views);
            const bool cut_off = results[2].rows() == static_cast<int>(kBundlesPerLook);
            if (cut_off && row + 1 == results[2].rows()) complete_to = std::max(complete_to, bundle.id);
        }
        for (PushView& view : views) view.app = app;
        std::string next = cut_list(views, want, complete_to);
        add_counters(connection, views, deadline);
        return next;
    });
}

}  // namespace belfry::queue_pg
