// SPDX-License-Identifier: Apache-2.0
#include "limiter.h"

#include <algorithm>
#include <belfry/services.hpp>
#include <string>

namespace belfry::queue_sqlite {

namespace {

constexpr size_t kSweepLeast = 256;  // buckets of a shard: fewer are not worth a look

}  // namespace

Limiter::Limiter(const belfry_host* host, size_t buckets_max)
    : host_(host), shard_max_(std::max<size_t>(1, buckets_max / kShards)) {}

Limiter::Shard& Limiter::shard_of(const belfry_charge& charge) noexcept {
    return shards_[charge.key[0] % kShards];
}

// Looks at all buckets of a shard when their number has doubled since, so that a charge costs the same on average.
void Limiter::make_room(Shard& shard, size_t wanted, int64_t now) const {
    const size_t needed = shard.buckets.size() + wanted;
    if (needed <= shard_max_ && needed <= std::max(shard.sweep_at, kSweepLeast)) return;
    std::erase_if(shard.buckets, [&](const auto& entry) { return entry.second.is_full(now); });
    shard.sweep_at = 2 * (shard.buckets.size() + wanted);
    if (shard.buckets.size() + wanted > shard_max_)
        throw Refused(BELFRY_STORE_FULL, {},
                      "rate limits of too many recipients are being kept at once: the embedded limiter has room for " +
                          std::to_string(shard_max_ * kShards) +
                          "; use shorter intervals, or a queue in PostgreSQL or Redis");
}

belfry_charged Limiter::charge_one(const std::vector<queue_parts::Policy>& policies, const belfry_charge& charge,
                                   int64_t now) {
    Shard& shard = shard_of(charge);
    const std::lock_guard lock(shard.mutex);
    make_room(shard, policies.size(), now);
    std::array<queue_parts::Bucket*, BELFRY_POLICIES_MAX> buckets{};
    for (size_t i = 0; i < policies.size(); ++i)
        buckets[i] = &shard.buckets[queue_parts::bucket_id(charge.key, policies[i])];
    const queue_parts::Charged charged = queue_parts::charge(policies, std::span(buckets).first(policies.size()),
                                                             queue_parts::kept_stamp(charge.stamp), now);
    auto row = sized<belfry_charged>();
    row.code = charged.code;
    row.wait_ms = charged.wait_ms;
    return row;
}

std::vector<belfry_charged> Limiter::charge(belfry_list policies, belfry_list charges, int64_t deadline_mono_ns) {
    const std::vector<queue_parts::Policy> checked = queue_parts::checked(Rows<belfry_policy>(policies));
    const Rows<belfry_charge> wanted(charges);
    queue_parts::check_count(wanted);
    if (host_.mono_ns() >= deadline_mono_ns)
        throw Refused(BELFRY_DEADLINE, {}, "the deadline had passed before anything was charged");
    const int64_t now = host_.unix_ms();
    std::vector<belfry_charged> rows;
    rows.reserve(wanted.size());
    for (size_t i = 0; i < wanted.size(); ++i) {
        rows.push_back(charge_one(checked, wanted.known(i), now));
        rows.back().index = static_cast<uint32_t>(i);
    }
    return rows;
}

size_t Limiter::size() const {
    size_t all = 0;
    for (const Shard& shard : shards_) {
        const std::lock_guard lock(shard.mutex);
        all += shard.buckets.size();
    }
    return all;
}

}  // namespace belfry::queue_sqlite
