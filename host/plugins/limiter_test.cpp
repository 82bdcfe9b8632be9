// SPDX-License-Identifier: Apache-2.0
#include "plugins/limiter.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace belfry::plugins {
namespace {

// The stamp says what is answered; 6 is forgotten.
belfry_code charge(belfry_instance*, belfry_list policies, belfry_list charges, int64_t deadline_mono_ns,
                   belfry_emit emit, void* ctx, belfry_why* why) {
    EXPECT_EQ(Rows<belfry_policy>(policies)[0].rate, 5u);
    if (deadline_mono_ns == 0) return because(why, BELFRY_DEADLINE, "", "too late");
    constexpr std::array<belfry_code, 6> kCodes{BELFRY_OK,   BELFRY_DUPLICATE, BELFRY_BUSY,
                                                BELFRY_BUSY, BELFRY_FENCED,    BELFRY_OK};
    uint32_t index = 0;
    for (const belfry_charge& one : Rows<belfry_charge>(charges)) {
        auto row = sized<belfry_charged>();
        row.index = index++;
        if (one.stamp >= kCodes.size()) continue;
        row.code = kCodes.at(one.stamp);
        row.wait_ms = one.stamp == 2 || one.stamp == 5 ? 70 : 0;
        emit(ctx, one_row(row));
    }
    return BELFRY_OK;
}

std::vector<belfry_charge> charges_with(const std::vector<uint64_t>& stamps) {
    std::vector<belfry_charge> charges;
    for (const uint64_t stamp : stamps) {
        charges.push_back(sized<belfry_charge>());
        charges.back().stamp = stamp;
    }
    return charges;
}

belfry_limiter a_table() {
    auto table = sized<belfry_limiter>();
    table.flags = BELFRY_LIMITER_SHARED;
    table.charge = charge;
    return table;
}

std::array<belfry_policy, 1> five() {
    auto policy = sized<belfry_policy>();
    policy.rate = 5;
    return {policy};
}

TEST(Limiter, AnswersEveryChargeOnceWithWhatACallerCanActOn) {
    Faults faults("queue");
    const belfry_limiter table = a_table();
    Limiter limiter(&table, nullptr, faults);
    std::vector<belfry_code> codes(7, -1);
    int64_t waited = 0;
    EXPECT_TRUE(limiter.charge(five(), charges_with({0, 1, 2, 3, 4, 5, 6}), 1, [&](const belfry_charged& row) {
        codes.at(row.index) = row.code;
        waited += row.wait_ms;
    }));
    EXPECT_EQ(codes, (std::vector<belfry_code>{BELFRY_OK, BELFRY_DUPLICATE, BELFRY_BUSY, BELFRY_INTERNAL,
                                               BELFRY_INTERNAL, BELFRY_INTERNAL, BELFRY_INTERNAL}));
    EXPECT_EQ(waited, 70) << "of the one that was denied as it should be";
    EXPECT_EQ(faults.of(Fault::BadRow), 3u);
    EXPECT_EQ(faults.of(Fault::MissingRow), 1u);
    EXPECT_TRUE(limiter.offers(BELFRY_LIMITER_SHARED));
    EXPECT_FALSE(limiter.offers(BELFRY_LIMITER_LASTING));
}

TEST(Limiter, AStoreThatDidNotAnswerIsToldFromADenial) {
    Faults faults("queue");
    const belfry_limiter table = a_table();
    Limiter limiter(&table, nullptr, faults);
    int rows = 0;
    const Status done = limiter.charge(five(), charges_with({0, 2}), 0, [&](const belfry_charged&) { ++rows; });
    EXPECT_EQ(done.error().code, ErrorCode::DeadlineExceeded);
    EXPECT_EQ(rows, 0);
}

TEST(LimiterTable, NamesWhatIsMissing) {
    EXPECT_EQ(Limiter::missing(a_table()), "");
    EXPECT_EQ(Limiter::missing(sized<belfry_limiter>()), "charge");
}

}  // namespace
}  // namespace belfry::plugins
