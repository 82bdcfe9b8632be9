// SPDX-License-Identifier: Apache-2.0
#include "results.h"

#include <algorithm>
#include <belfry/abi.hpp>
#include <limits>

#include "movements.h"

namespace belfry::queue_sqlite {

namespace {

constexpr size_t kBundlesPerLook = 64;

void put_cursor(char next_cursor[64], const std::string& cursor) {
    put(next_cursor, 64, cursor);
}

}  // namespace

PushView Results::view_of(const Push& push, bool with_items) {
    PushView view;
    const PushFacts& facts = *push.facts;
    view.state = push.state;
    view.lane = push.lane;
    view.planned_final = push.undiscovered == 0;
    view.created_unix_ms = facts.created_unix_ms;
    view.send_at_unix_ms = facts.send_at_unix_ms;
    view.expires_unix_ms = facts.expires_unix_ms;
    view.finished_unix_ms = push.finished_unix_ms;
    view.body = push.body;
    view.app = core_.book.app_name(facts.app);
    view.uid = facts.uid;
    view.counters = push.counters;
    view.id = facts.id;
    if (with_items && push.finished_unix_ms == 0) {
        view.live_items = core_.tables.items.count_of_push(facts.id);
        view.range_left = core_.tables.items.range_left(facts.id);
        const bool expired = facts.expires_unix_ms != 0 && facts.expires_unix_ms <= core_.now();
        if (expired && !is_stopped(push.state)) view.state = BELFRY_PUSH_EXPIRED;
    }
    return view;
}

PushView Results::view_of(const BundleRow& row, size_t member) {
    PushView view;
    const MemberResult& result = row.results[member];
    view.state = result.state;
    view.lane = row.lane;
    view.planned_final = result.finished_unix_ms != 0;
    view.live_items = result.finished_unix_ms == 0 ? 1 : 0;
    view.created_unix_ms = row.created_unix_ms;
    view.expires_unix_ms = result.expires_unix_ms;
    view.finished_unix_ms = result.finished_unix_ms;
    view.app = core_.book.app_name(result.app);
    view.uid = result.uid;
    view.counters = result.counters;
    view.id = row.id;
    view.member = static_cast<int64_t>(member);
    return view;
}

std::vector<PushView> Results::lookup(belfry_str app, belfry_list uids) {
    std::vector<PushView> views;
    const uint32_t number = core_.book.find_app(view(app));
    if (number == 0) return views;
    const Rows<belfry_str> rows(uids);
    for (uint32_t i = 0; i < rows.size(); ++i) {
        const Known known = core_.directory.find(number, view(rows[i]));
        if (!known) continue;
        views.push_back(known.push != nullptr ? view_of(*known.push, true) : view_of(*known.bundle, known.index));
        views.back().index = i;
    }
    core_.book.forget_loaded();
    return views;
}

PushTable::Look Results::pushes_of(uint32_t app, int32_t state, int64_t below, size_t limit) {
    if (state != 0) return core_.tables.pushes.in_state(app, state, below, limit);
    PushTable::Look look{core_.tables.pushes.of_app(app, below, limit)};
    if (look.found.size() == limit) look.looked_to = look.found.back().facts->id;
    return look;
}

std::vector<PushView> Results::list(belfry_str app, int32_t state, belfry_str cursor, uint32_t limit,
                                    char next_cursor[64]) {
    next_cursor[0] = '\0';
    const ListPosition from = parse_cursor(view(cursor));
    const uint32_t number = core_.book.find_app(view(app));
    const size_t want = std::clamp<size_t>(limit, 1, kListMax);
    std::vector<PushView> views;
    if (number == 0) return views;
    const auto [pushes, looked_to] = pushes_of(number, state, from.id, want);
    for (const Push& push : pushes) views.push_back(view_of(push, true));
    // A bundle holds members of several apps and states: what was looked through counts, not what was found.
    const int64_t bundles_below =
        from.member > 0 && from.id < std::numeric_limits<int64_t>::max() ? from.id + 1 : from.id;
    const std::vector<BundleRow> bundles = core_.tables.bundles.below(bundles_below, kBundlesPerLook);
    for (const BundleRow& row : bundles) {
        for (size_t member = 0; member < row.results.size(); ++member) {
            const MemberResult& result = row.results[member];
            if (result.app != number || result.moved_to != 0 || (state != 0 && result.state != state)) continue;
            if (row.id == from.id && static_cast<int64_t>(member) >= from.member) continue;
            views.push_back(view_of(row, member));
        }
    }
    // What lies below the last row of either source that was cut off is not complete yet.
    int64_t complete_to = looked_to;
    if (bundles.size() == kBundlesPerLook) complete_to = std::max(complete_to, bundles.back().id);
    put_cursor(next_cursor, cut_list(views, want, complete_to));
    return views;
}

}  // namespace belfry::queue_sqlite
