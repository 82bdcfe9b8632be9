// SPDX-License-Identifier: Apache-2.0
#include "queue/views.h"

#include <algorithm>
#include <belfry/abi.hpp>
#include <belfry/services.hpp>
#include <charconv>

namespace belfry::queue_parts {

namespace {

bool comes_first(const PushView& a, const PushView& b) {
    return a.id != b.id ? a.id > b.id : a.member > b.member;
}

}  // namespace

ListPosition parse_cursor(std::string_view cursor) {
    ListPosition position;
    if (cursor.empty()) return position;
    const char* end = cursor.data() + cursor.size();
    const auto id = std::from_chars(cursor.data(), end, position.id);
    const bool more = id.ec == std::errc() && id.ptr != end && *id.ptr == '.';
    if (more && std::from_chars(id.ptr + 1, end, position.member).ec == std::errc()) return position;
    throw Refused(BELFRY_BAD_REQUEST, "cursor", "is not one that an earlier call gave");
}

std::string cut_list(std::vector<PushView>& views, size_t want, int64_t complete_to) {
    std::sort(views.begin(), views.end(), comes_first);
    std::erase_if(views, [&](const PushView& v) { return v.id < complete_to; });
    const bool cut = views.size() > want;
    if (cut) views.resize(want);
    if (!cut && complete_to == 0) return {};
    const int64_t id = cut ? views.back().id : complete_to;
    const int64_t member = cut ? std::max<int64_t>(0, views.back().member) : 0;
    return std::to_string(id) + "." + std::to_string(member);
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

}  // namespace belfry::queue_parts
