// SPDX-License-Identifier: Apache-2.0
#include "queue/gcra.h"

#include <gtest/gtest.h>

#include <belfry/services.hpp>
#include <random>
#include <set>
#include <string>

namespace belfry::queue_parts {
namespace {

constexpr int64_t kNow = 1'800'000'000'000;

belfry_policy row(uint32_t rate, int64_t interval_ms, uint32_t burst) {
    auto policy = sized<belfry_policy>();
    policy.rate = rate;
    policy.interval_ms = interval_ms;
    policy.burst = burst;
    return policy;
}

Charged charge_at(Bucket& bucket, const Policy& policy, int64_t now, uint32_t stamp = 0) {
    Bucket* const buckets[] = {&bucket};
    return charge(std::span(&policy, 1), buckets, stamp, now);
}

// The law with fractions kept as whole numbers of another kind: tokens times interval_ms.
struct Model {
    Policy policy;
    int64_t tokens;
    int64_t at;
    bool take(int64_t now) {
        const int64_t most = static_cast<int64_t>(policy.burst) * policy.interval_ms;
        tokens = std::min(most, tokens + static_cast<int64_t>(now - at) * policy.rate);
        at = now;
        if (tokens < policy.interval_ms) return false;
        tokens -= policy.interval_ms;
        return true;
    }
};

TEST(Gcra, TakesExactlyWhatAModelOfTokensTakes) {
    std::mt19937_64 random(7);
    for (int trial = 0; trial < 200; ++trial) {
        const Policy policy{static_cast<int64_t>(1 + random() % 2000), static_cast<int64_t>(1 + random() % 100'000),
                            static_cast<int64_t>(1 + random() % 50)};
        Bucket bucket;
        Model model{policy, static_cast<int64_t>(policy.burst) * policy.interval_ms, kNow};
        const auto step = static_cast<uint64_t>(3 * policy.interval_ms / policy.rate + 2);
        int64_t now = kNow;
        for (int i = 0; i < 2000; ++i) {
            ASSERT_EQ(charge_at(bucket, policy, now).code == BELFRY_OK, model.take(now)) << trial << " " << i;
            now += static_cast<int64_t>(random() % step);
        }
    }
}

TEST(Gcra, TheLargestNumbersStayExact) {
    const Policy policy{BELFRY_POLICY_RATE_MAX - 1, BELFRY_POLICY_INTERVAL_MAX_MS, BELFRY_POLICY_RATE_MAX};
    Bucket bucket;
    for (int64_t i = 0; i < policy.burst; ++i) ASSERT_EQ(charge_at(bucket, policy, kNow).code, BELFRY_OK) << i;
    EXPECT_EQ(bucket.lacks(policy, kNow), policy.empty());
    EXPECT_LT(policy.empty(), int64_t{1} << 53);
    const Charged denied = charge_at(bucket, policy, kNow);
    EXPECT_EQ(denied.code, BELFRY_BUSY);
    EXPECT_EQ(charge_at(bucket, policy, kNow + denied.wait_ms - 1).code, BELFRY_BUSY);
    EXPECT_EQ(charge_at(bucket, policy, kNow + denied.wait_ms).code, BELFRY_OK);
}

TEST(Gcra, ABucketThatIsFullAgainHasForgottenItsCharges) {
    const Policy policy{1, 1000, 2};
    Bucket bucket;
    EXPECT_EQ(charge_at(bucket, policy, kNow, 5).code, BELFRY_OK);
    EXPECT_EQ(charge_at(bucket, policy, kNow + 999, 5).code, BELFRY_DUPLICATE);
    EXPECT_EQ(charge_at(bucket, policy, kNow + 1000, 5).code, BELFRY_OK);
    EXPECT_EQ(bucket.stamps, (Stamps{5}));
}

TEST(Gcra, AClockThatStepsBackKeepsNobodyWaitingLongerThanAnEmptyBucket) {
    const Policy policy{1, 1000, 3};
    Bucket bucket;
    EXPECT_EQ(charge_at(bucket, policy, kNow).code, BELFRY_OK);
    const int64_t earlier = kNow - 86'400'000;
    EXPECT_EQ(charge_at(bucket, policy, earlier).wait_ms, 1000);
    EXPECT_EQ(charge_at(bucket, policy, earlier + 100).wait_ms, 900);
    EXPECT_EQ(charge_at(bucket, policy, earlier + 1000).code, BELFRY_OK);
    bucket.full_ms = kNow + (int64_t{1} << 50);
    EXPECT_EQ(charge_at(bucket, policy, kNow).wait_ms, 1000);
}

TEST(Gcra, KeepsTheLatestNames) {
    const Policy policy{1, 1000, 100};
    Bucket bucket;
    for (uint32_t stamp = 1; stamp <= 9; ++stamp) charge_at(bucket, policy, kNow, stamp);
    EXPECT_EQ(charge_at(bucket, policy, kNow, 2).code, BELFRY_DUPLICATE);
    EXPECT_EQ(charge_at(bucket, policy, kNow, 1).code, BELFRY_OK) << "nine were charged since, eight are known";
    EXPECT_EQ(charge_at(bucket, policy, kNow, 0).code, BELFRY_OK);
    EXPECT_EQ(charge_at(bucket, policy, kNow, 0).code, BELFRY_OK) << "nobody named them";
    EXPECT_EQ(kept_stamp(0), 0u);
    EXPECT_EQ(kept_stamp(uint64_t{1} << 40), 1u) << "a name, whatever its low half is";
}

TEST(Gcra, RefusesPoliciesThatMeanNothing) {
    const auto place = [](const std::vector<belfry_policy>& rows) -> std::string {
        try {
            static_cast<void>(checked(Rows<belfry_policy>(list_of(rows))));
            return "";
        } catch (const Refused& refused) {
            EXPECT_EQ(refused.code(), BELFRY_BAD_REQUEST);
            return refused.where();
        }
    };
    EXPECT_EQ(place({row(1, 1, 1), row(1'000'000, BELFRY_POLICY_INTERVAL_MAX_MS, 1'000'000)}), "");
    EXPECT_EQ(place({}), "policies[0]");
    EXPECT_EQ(place({row(1, 1, 1), row(0, 1, 1)}), "policies[1]");
    EXPECT_EQ(place({row(1, 0, 1)}), "policies[0]");
    EXPECT_EQ(place({row(1, 1, 0)}), "policies[0]");
    EXPECT_EQ(place({row(1'000'001, 1, 1)}), "policies[0]");
    EXPECT_EQ(place({row(1, BELFRY_POLICY_INTERVAL_MAX_MS + 1, 1)}), "policies[0]");
    EXPECT_EQ(place({row(1, BELFRY_POLICY_INTERVAL_MAX_MS, 12)}), "policies[0]") << "372 days to fill";
    EXPECT_EQ(place(std::vector<belfry_policy>(9, row(1, 1, 1))), "policies[8]");
}

TEST(Gcra, EveryPolicyOfAKeyHasABucketOfItsOwn) {
    std::set<BucketId> ids;
    uint8_t key[16] = {1, 2, 3};
    for (const Policy& policy : {Policy{1, 1000, 1}, Policy{1, 1000, 2}, Policy{2, 1000, 1}, Policy{1, 2000, 1}}) {
        ids.insert(bucket_id(key, policy));
        key[15] ^= 1;
        ids.insert(bucket_id(key, policy));
        key[15] ^= 1;
    }
    EXPECT_EQ(ids.size(), 8u);
    EXPECT_EQ(bucket_id(key, {1, 1000, 1}), bucket_id(key, {1, 1000, 1}));
}

}  // namespace
}  // namespace belfry::queue_parts
