// SPDX-License-Identifier: Apache-2.0
#include "results.h"

#include <algorithm>
#include <belfry/abi.hpp>
#include <charconv>
#include <limits>

#include "movements.h"

namespace belfry::queue_sqlite {

namespace {

constexpr size_t kBundlesPerLook = 64;

// Where a list goes on: below (id, member).
struct Position {
    int64_t id = std::numeric_limits<int64_t>::max();
    int64_t member = std::numeric_limits<int64_t>::max();
};

Position parse(std::string_view cursor) {
    Position position;
    if (cursor.empty()) return position;
    const char* end = cursor.data() + cursor.size();
    const auto id = std::from_chars(cursor.data(), end, position.id);
    const bool more = id.ec == std::errc() && id.ptr != end && *id.ptr == '.';
    if (more && std::from_chars(id.ptr + 1, end, position.member).ec == std::errc()) return position;
    throw sqlite::Failure(BELFRY_BAD_REQUEST, "is not one that an earlier call gave", "cursor");
}

bool comes_first(const PushView& a, const PushView& b) {
    return a.id != b.id ? a.id > b.id : a.member > b.member;
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

std::vector<PushView> Results::list(belfry_str app, int32_t state, belfry_str cursor, uint32_t limit,
                                    char next_cursor[64]) {
    next_cursor[0] = '\0';
    const Position from = parse(view(cursor));
    const uint32_t number = core_.book.find_app(view(app));
    const size_t want = std::clamp<size_t>(limit, 1, kListMax);
    std::vector<PushView> views;
    if (number == 0) return views;
    const std::vector<Push> pushes = core_.tables.pushes.of_app(number, state, from.id, want);
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
    std::sort(views.begin(), views.end(), comes_first);
    // What lies below the last row of either source that was cut off is not complete yet.
    int64_t complete_to = 0;
    if (pushes.size() == want) complete_to = pushes.back().facts->id;
    if (bundles.size() == kBundlesPerLook) complete_to = std::max(complete_to, bundles.back().id);
    std::erase_if(views, [&](const PushView& v) { return v.id < complete_to; });
    const bool cut = views.size() > want;
    if (cut) views.resize(want);
    if (cut || complete_to != 0) {
        const int64_t id = cut ? views.back().id : complete_to;
        const int64_t member = cut ? std::max<int64_t>(0, views.back().member) : 0;
        std::snprintf(next_cursor, 64, "%lld.%lld", static_cast<long long>(id), static_cast<long long>(member));
    }
    return views;
}

void emit_views(const std::vector<PushView>& views, belfry_emit emit, void* ctx) {
    for (const PushView& from : views) {
        std::vector<belfry_tally> tallies;
        for (const Tally& tally : from.counters.tallies) {
            // A counter beyond 32 bits is shown as several rows, which the reader adds up.
            for (int64_t left = tally.n; left > 0; left -= UINT32_MAX) {
                auto row = sized<belfry_tally>();
                row.gate = tally.gate;
                row.outcome = tally.outcome;
                row.n = static_cast<uint32_t>(std::min<int64_t>(left, UINT32_MAX));
                tallies.push_back(row);
            }
        }
        std::vector<belfry_sample> samples;
        for (const Sample& sample : from.counters.samples) {
            auto row = sized<belfry_sample>();
            row.gate = sample.gate;
            row.outcome = sample.outcome;
            row.text = str(std::string_view(sample.text));
            samples.push_back(row);
        }
        auto row = sized<belfry_push_row>();
        row.index = from.index;
        row.state = from.state;
        row.lane = from.lane;
        row.planned_final = from.planned_final ? 1 : 0;
        row.live_items = from.live_items;
        row.planned = from.counters.planned;
        row.created_unix_ms = from.created_unix_ms;
        row.send_at_unix_ms = from.send_at_unix_ms;
        row.expires_unix_ms = from.expires_unix_ms;
        row.finished_unix_ms = from.finished_unix_ms;
        row.range_left = from.range_left;
        row.app = str(std::string_view(from.app));
        row.uid = str(std::string_view(from.uid));
        row.body = static_cast<uint64_t>(from.body);
        row.tallies = list_of(tallies);
        row.samples = list_of(samples);
        if (emit(ctx, one_row(row)) != 0) return;
    }
}

}  // namespace belfry::queue_sqlite
