// SPDX-License-Identifier: Apache-2.0
#include "app_purge.h"

#include <algorithm>
#include <limits>
#include <vector>

namespace belfry::queue_sqlite {

namespace {

constexpr size_t kPushesPerStep = 100;  // each with its items
constexpr size_t kBundlesPerStep = 64;

}  // namespace

AppPurge::Progress AppPurge::step(std::string_view app, uint32_t limit, int64_t bundles_after) {
    Progress progress{bundles_after, false};
    const uint32_t number = core_.book.find_app(app);
    if (number == 0) return progress;
    const size_t want = std::clamp<size_t>(limit, 1, kPushesPerStep);
    constexpr int64_t kNewest = std::numeric_limits<int64_t>::max();
    const std::vector<Push> pushes = core_.tables.pushes.of_app(number, kNewest, want);
    for (const Push& push : pushes) movements_.erase(*core_.book.push(push.facts->id));
    if (pushes.size() == want) {
        progress.more = true;
        return progress;
    }
    const std::vector<BundleRow> bundles = core_.tables.bundles.above(bundles_after, kBundlesPerStep);
    for (const BundleRow& row : bundles) {
        const auto is_of_app = [&](const MemberResult& result) { return result.app == number; };
        if (std::any_of(row.results.begin(), row.results.end(), is_of_app)) {
            movements_.erase_members(*core_.book.bundle(row.id), number);
        }
        progress.bundles_to = row.id;
    }
    progress.more = bundles.size() == kBundlesPerStep;
    return progress;
}

}  // namespace belfry::queue_sqlite
