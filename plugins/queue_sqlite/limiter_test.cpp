// SPDX-License-Identifier: Apache-2.0
#include "limiter.h"

#include <gtest/gtest.h>

#include <belfry/services.hpp>
#include <cstring>
#include <limits>

namespace belfry::queue_sqlite {
namespace {

constexpr int64_t kFar = std::numeric_limits<int64_t>::max();

// A host that has a clock and nothing else.
struct ClockHost {
    belfry_host host = sized<belfry_host>();  // first: it is what the functions get
    belfry_clock clock = sized<belfry_clock>();
    int64_t now = 1'800'000'000'000;

    ClockHost() {
        clock.unix_ms = [](const belfry_host* own) { return self(own).now; };
        clock.mono_ns = [](const belfry_host*) { return int64_t{1}; };
        host.service = [](const belfry_host* own, belfry_str id) -> const void* {
            return view(id) == BELFRY_CLOCK_ID ? &self(own).clock : nullptr;
        };
    }
    static const ClockHost& self(const belfry_host* own) {
        return *static_cast<const ClockHost*>(static_cast<const void*>(own));
    }
};

belfry_policy once_a_minute() {
    auto policy = sized<belfry_policy>();
    policy.rate = policy.burst = 1;
    policy.interval_ms = 60'000;
    return policy;
}

// Charges `n` keys that nobody charged before.
std::vector<belfry_charged> charge_fresh(Limiter& limiter, uint32_t n, uint32_t first) {
    std::vector<belfry_charge> charges;
    for (uint32_t i = 0; i < n; ++i) {
        auto charge = sized<belfry_charge>();
        const uint64_t mixed = (first + i) * 0x9e3779b97f4a7c15U;
        std::memcpy(charge.key, &mixed, sizeof mixed);
        std::memcpy(charge.key + 8, &mixed, sizeof mixed);
        charges.push_back(charge);
    }
    const belfry_policy policy = once_a_minute();
    return limiter.charge(one_row(policy), list_of(charges), kFar);
}

TEST(EmbeddedLimiter, ForgetsBucketsThatAreFullAgain) {
    ClockHost host;
    Limiter limiter(&host.host);
    size_t most = 0;
    for (uint32_t round = 0; round < 50; ++round) {
        charge_fresh(limiter, 4000, round * 4000);
        most = std::max(most, limiter.size());
        host.now += 60'000;
    }
    EXPECT_LT(most, 4 * 4000u) << "200,000 were charged, 4,000 at a time matter";
}

TEST(EmbeddedLimiter, SaysWhenItHasNoRoomAndGoesOnOnceItHas) {
    ClockHost host;
    Limiter limiter(&host.host, 1600);
    EXPECT_EQ(charge_fresh(limiter, 1000, 0).size(), 1000u);
    try {
        charge_fresh(limiter, 4000, 1000);
        FAIL() << "5,000 buckets do not fit into 1,600";
    } catch (const Refused& refused) {
        EXPECT_EQ(refused.code(), BELFRY_STORE_FULL);
    }
    EXPECT_LE(limiter.size(), 1600u);
    host.now += 60'000;
    for (const belfry_charged& row : charge_fresh(limiter, 1000, 5000)) EXPECT_EQ(row.code, BELFRY_OK);
}

}  // namespace
}  // namespace belfry::queue_sqlite
