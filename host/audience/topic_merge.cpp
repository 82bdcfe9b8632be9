// SPDX-License-Identifier: Apache-2.0
#include "audience/topic_merge.h"

#include <belfry/abi.hpp>

#include <algorithm>

namespace belfry::audience {

namespace {

constexpr uint32_t kTopicsPerRead = 32;  // rows read per topic at least

}  // namespace

Status merge_topics(plugins::Storage& storage, const std::string& app, const std::vector<std::string>& topics,
                    int64_t after, int64_t hi, uint32_t wanted, int64_t deadline_mono_ns, MergedKeys& out) {
    belfry_scan scan = sized<belfry_scan>();
    scan.by = BELFRY_BY_TOPIC;
    scan.want = std::max(kTopicsPerRead, 2 * wanted / static_cast<uint32_t>(topics.size()));
    scan.budget_rows = kRowsLookedAtMax;
    scan.app = str(std::string_view(app));
    scan.after = after;
    scan.hi = hi;
    scan.deadline_mono_ns = deadline_mono_ns;
    std::vector<int64_t>& keys = out.keys;
    keys.clear();
    out.cursor = hi - 1;
    out.end = true;
    for (const std::string& topic : topics) {
        scan.value = str(std::string_view(topic));
        const Result<plugins::ScanEnd> read =
            storage.scan(scan, [&](const belfry_device& row) { keys.push_back(row.key); });
        if (!read) return read.error();
        if (read->end) continue;
        out.cursor = std::min(out.cursor, read->cursor);
        out.end = false;
    }
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    keys.erase(std::upper_bound(keys.begin(), keys.end(), out.cursor), keys.end());
    if (keys.size() > wanted) {
        keys.resize(wanted);
        out.cursor = keys.back();
        out.end = false;
    }
    return {};
}

}  // namespace belfry::audience
