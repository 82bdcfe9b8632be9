// SPDX-License-Identifier: Apache-2.0
#include "audience/topic_merge.h"

#include <belfry/abi.hpp>

#include <algorithm>

namespace belfry::audience {

namespace {

constexpr uint32_t kRowsPerRead = 32;  // of a topic, at least
// Further looks at the topics that hold the others back; whoever wants more asks again.
constexpr int kRoundsMax = 32;
constexpr int64_t kRoundsNs = 200 * kNsPerMs;  // no further look begins after this

// A topic's place in the merge.
struct Place {
    const std::string* topic;
    int64_t cursor;
    bool ended = false;
};

// Every place has been read up to here.
int64_t frontier_of(const std::vector<Place>& places, int64_t hi) {
    int64_t frontier = hi - 1;
    for (const Place& place : places) {
        if (!place.ended) frontier = std::min(frontier, place.cursor);
    }
    return frontier;
}

}  // namespace

Status merge_topics(plugins::Storage& storage, const Clock& clock, const std::string& app,
                    const std::vector<std::string>& topics, int64_t after, int64_t hi, uint32_t wanted,
                    int64_t deadline_mono_ns, MergedKeys& out) {
    belfry_scan scan = sized<belfry_scan>();
    scan.by = BELFRY_BY_TOPIC;
    scan.want = std::max(kRowsPerRead, 2 * wanted / static_cast<uint32_t>(topics.size()));
    scan.budget_rows = kRowsLookedAtMax;
    scan.app = str(std::string_view(app));
    scan.hi = hi;
    scan.deadline_mono_ns = deadline_mono_ns;
    std::vector<Place> places;
    for (const std::string& topic : topics) places.push_back({&topic, after});
    std::vector<int64_t>& keys = out.keys;
    keys.clear();
    int64_t frontier = after;
    size_t known = 0;  // keys that no topic can come before any more
    const int64_t until = clock.mono_ns() + kRoundsNs;
    for (int round = 0; round < kRoundsMax && known < wanted; ++round) {
        if (round > 0 && clock.mono_ns() > until) break;
        const auto sorted = static_cast<std::ptrdiff_t>(keys.size());
        for (Place& place : places) {
            if (place.ended || place.cursor > frontier) continue;
            scan.value = str(std::string_view(*place.topic));
            scan.after = place.cursor;
            const Result<plugins::ScanEnd> read =
                storage.scan(scan, [&](const belfry_device& row) { keys.push_back(row.key); });
            if (!read) return read.error();
            place.ended = read->end;
            place.cursor = read->cursor;
        }
        std::sort(keys.begin() + sorted, keys.end());
        std::inplace_merge(keys.begin(), keys.begin() + sorted, keys.end());
        keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
        frontier = frontier_of(places, hi);
        known = static_cast<size_t>(std::upper_bound(keys.begin(), keys.end(), frontier) - keys.begin());
        if (frontier == hi - 1) break;
        scan.want = std::max(kRowsPerRead, wanted);
    }
    out.end = std::all_of(places.begin(), places.end(), [](const Place& place) { return place.ended; });
    out.cursor = frontier;
    keys.resize(known);
    if (keys.size() > wanted) {
        keys.resize(wanted);
        out.cursor = keys.back();
        out.end = false;
    }
    return {};
}

}  // namespace belfry::audience
