// SPDX-License-Identifier: Apache-2.0
#include "queue_pg/backlog.h"

#include <algorithm>

namespace belfry::queue_pg {

namespace {

// Counts of so few are exact each time.
constexpr uint64_t kFew = 10'000;
constexpr std::chrono::seconds kCountEvery{1};
constexpr std::chrono::seconds kTrustFor{30};

constexpr const char* kCount =
    "SELECT (SELECT count(*) FROM (SELECT FROM queue_push WHERE finished = 0 LIMIT $1) p) + "
    "(SELECT coalesce(sum(open), 0) FROM (SELECT open FROM queue_bundle WHERE finished = 0 LIMIT $1) b)::bigint";

}  // namespace

uint64_t Backlog::room(pg::Connection& connection, uint64_t wanted, pg::Deadline deadline) {
    const pg::Deadline now = pg::Clock::now();
    {
        const std::lock_guard lock(mutex_);
        const uint64_t known = counted_ + added_ + wanted;
        const bool fresh = counted_at_ != pg::Deadline{} && now - counted_at_ < kTrustFor;
        const bool counted_now = most_ > kFew && now - counted_at_ < kCountEvery;
        if (fresh && (known < most_ - most_ / 10 || counted_now)) {
            const uint64_t room = known <= most_ ? wanted : wanted - std::min(wanted, known - most_);
            added_ += room;
            return room;
        }
    }
    const auto bound = static_cast<int64_t>(most_) + 1;
    const auto open = static_cast<uint64_t>(connection.run(kCount, pg::Params().number(bound), deadline).number(0, 0));
    const std::lock_guard lock(mutex_);
    counted_at_ = now;
    counted_ = open;
    added_ = open < most_ ? std::min(wanted, most_ - open) : 0;
    return added_;
}

}  // namespace belfry::queue_pg
