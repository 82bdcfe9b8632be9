// SPDX-License-Identifier: Apache-2.0
#include "queue/gcra.h"

#include <algorithm>
#include <belfry/services.hpp>
#include <cstring>
#include <string>

namespace belfry::queue_parts {

namespace {

[[noreturn]] void refuse(const char* list, size_t index, const std::string& what) {
    throw Refused(BELFRY_BAD_REQUEST, std::string(list) + "[" + std::to_string(index) + "]", what);
}

Policy checked(const belfry_policy& row, size_t index) {
    const auto in = [](int64_t value, int64_t most) { return value >= 1 && value <= most; };
    if (!in(row.rate, BELFRY_POLICY_RATE_MAX) || !in(row.burst, BELFRY_POLICY_RATE_MAX))
        refuse("policies", index, "rate and burst must be from 1 to " + std::to_string(BELFRY_POLICY_RATE_MAX));
    if (!in(row.interval_ms, BELFRY_POLICY_INTERVAL_MAX_MS))
        refuse("policies", index, "interval_ms must be from 1 to " + std::to_string(BELFRY_POLICY_INTERVAL_MAX_MS));
    const Policy policy{row.rate, row.interval_ms, row.burst};
    if (policy.empty() / policy.rate > BELFRY_POLICY_FILL_MAX_MS)
        refuse("policies", index, "an empty bucket would take more than 366 days to fill");
    return policy;
}

// Of the SplitMix64 generator: every bit of the input reaches every bit of the answer.
uint64_t mixed(uint64_t value) noexcept {
    value += 0x9e3779b97f4a7c15U;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31);
}

int64_t up(int64_t parts, int64_t rate) noexcept {
    return (parts + rate - 1) / rate;
}

void take(Bucket& bucket, const Policy& policy, int64_t lacks, uint32_t stamp, int64_t now) noexcept {
    if (lacks == 0) bucket.stamps = {};
    bucket.set(policy, lacks + policy.interval_ms, now);
    if (stamp == 0) return;
    std::copy_backward(bucket.stamps.begin(), bucket.stamps.end() - 1, bucket.stamps.end());
    bucket.stamps.front() = stamp;
}

}  // namespace

std::vector<Policy> checked(Rows<belfry_policy> policies) {
    if (policies.empty()) refuse("policies", 0, "is missing: a limit needs at least one policy");
    if (policies.size() > BELFRY_POLICIES_MAX)
        refuse("policies", BELFRY_POLICIES_MAX, "is one too many: at most 8 apply at once");
    std::vector<Policy> all;
    for (size_t i = 0; i < policies.size(); ++i) all.push_back(checked(policies.known(i), i));
    return all;
}

void check_count(Rows<belfry_charge> charges) {
    if (charges.size() > BELFRY_CHARGES_MAX)
        refuse("charges", BELFRY_CHARGES_MAX, "is one too many: a call takes at most 4096");
}

void Bucket::set(const Policy& policy, int64_t lacks, int64_t now) noexcept {
    full_ms = now + lacks / policy.rate;
    parts = static_cast<uint32_t>(lacks % policy.rate);
}

int64_t Bucket::lacks(const Policy& policy, int64_t now) noexcept {
    if (is_full(now)) return 0;
    const int64_t ms = std::min(full_ms - now, BELFRY_POLICY_FILL_MAX_MS + 1);
    const int64_t lacks = ms * policy.rate + parts;
    if (lacks <= policy.empty()) return lacks;
    set(policy, policy.empty(), now);
    return policy.empty();
}

Charged charge(std::span<const Policy> policies, std::span<Bucket* const> buckets, uint32_t stamp,
               int64_t now) noexcept {
    std::array<int64_t, BELFRY_POLICIES_MAX> lacks{};
    int64_t wait_ms = 0;
    for (size_t i = 0; i < policies.size(); ++i) {
        Bucket& bucket = *buckets[i];
        lacks[i] = bucket.lacks(policies[i], now);
        const bool known = stamp != 0 && lacks[i] > 0 &&
                           std::find(bucket.stamps.begin(), bucket.stamps.end(), stamp) != bucket.stamps.end();
        if (known) return {BELFRY_DUPLICATE, 0};
        const int64_t missing = lacks[i] + policies[i].interval_ms - policies[i].empty();
        if (missing > 0) wait_ms = std::max(wait_ms, up(missing, policies[i].rate));
    }
    if (wait_ms > 0) return {BELFRY_BUSY, wait_ms};
    for (size_t i = 0; i < policies.size(); ++i) take(*buckets[i], policies[i], lacks[i], stamp, now);
    return {};
}

BucketId bucket_id(const uint8_t (&key)[16], const Policy& policy) noexcept {
    uint64_t halves[2];
    std::memcpy(halves, key, sizeof halves);
    const uint64_t rate = mixed(static_cast<uint64_t>(policy.rate) << 32 | static_cast<uint64_t>(policy.burst));
    halves[0] ^= mixed(rate ^ static_cast<uint64_t>(policy.interval_ms));
    BucketId id;
    std::memcpy(id.data(), halves, sizeof halves);
    return id;
}

}  // namespace belfry::queue_parts
