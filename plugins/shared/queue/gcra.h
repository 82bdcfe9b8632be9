// SPDX-License-Identifier: Apache-2.0
// Rate limits as every limiter of ours means them (belfry/limiter.h): one charge against the buckets of its policies.
//
// A bucket is kept as the moment at which it is full again, in milliseconds and parts of one: a delivery moves it by
// interval_ms / rate, of which nothing is rounded, since a part is 1 / rate of a millisecond. All products stay below
// 2^53, so that the script of queue_redis computes the same in Lua's numbers.
// Threads: [any]; values.
#pragma once

#include <belfry/limiter.h>

#include <array>
#include <belfry/abi.hpp>
#include <cstdint>
#include <span>
#include <vector>

namespace belfry::queue_parts {

struct Policy {
    int64_t rate = 1, interval_ms = 1, burst = 1;
    // What a bucket lacks when nothing is left in it, in parts.
    int64_t empty() const noexcept { return burst * interval_ms; }
};
// Throws Refused: BAD_REQUEST.
std::vector<Policy> checked(Rows<belfry_policy> policies);
void check_count(Rows<belfry_charge> charges);

// What stores keep of a charge's name; 0: unnamed.
inline uint32_t kept_stamp(uint64_t stamp) noexcept {
    const auto low = static_cast<uint32_t>(stamp);
    return low != 0 || stamp == 0 ? low : 1;
}

using Stamps = std::array<uint32_t, BELFRY_CHARGES_KNOWN>;  // the latest first; 0: none

struct Bucket {
    int64_t full_ms = 0;  // when it is full again ...
    uint32_t parts = 0;   // ... and so many 1 / rate of a millisecond later
    Stamps stamps{};

    // In parts; 0: it is full. After a clock's step back it may seem to lack more than it holds: then it is empty now.
    int64_t lacks(const Policy& policy, int64_t now) noexcept;
    void set(const Policy& policy, int64_t lacks, int64_t now) noexcept;
    friend bool operator==(const Bucket&, const Bucket&) = default;
    bool is_full(int64_t now) const noexcept { return full_ms < now || (full_ms == now && parts == 0); }
};

struct Charged {
    belfry_code code = BELFRY_OK;  // OK, DUPLICATE, BUSY
    int64_t wait_ms = 0;
};
// `buckets[i]` is the one of `policies[i]`.
Charged charge(std::span<const Policy> policies, std::span<Bucket* const> buckets, uint32_t stamp,
               int64_t now) noexcept;

// Names the bucket of a key and a policy.
using BucketId = std::array<uint8_t, 16>;
BucketId bucket_id(const uint8_t (&key)[16], const Policy& policy) noexcept;

}  // namespace belfry::queue_parts
