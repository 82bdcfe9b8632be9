// SPDX-License-Identifier: Apache-2.0
// What every limiter on a server must do when the server is gone or its answer is lost. Threads: the test's.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "conformance/queue/limits.h"

namespace belfry::tests {

constexpr int64_t kDayMs = 86'400'000;

// `marker`: what the server's side of a charge's last message contains, see the relay.
template <class Relay>
void check_gone_and_back(conformance::queue::Limits& limits, Relay& relay, std::string_view marker) {
    using namespace std::chrono_literals;
    using Clock = std::chrono::steady_clock;
    const std::vector<belfry_policy> ten{conformance::queue::policy(10, kDayMs)};
    const belfry_charge five = conformance::queue::charge_of(1, 5);
    EXPECT_EQ(limits.take(ten, 1, 3), 3u);
    relay.close_door(true);
    relay.lose_answer_to(std::string(marker));
    uint32_t rows = 0;
    belfry_why why{};
    const auto start = Clock::now();
    const int64_t deadline = limits.queue().host().mono_ns() + 300'000'000;
    const belfry_code gone = limits.try_charge(ten, {five}, deadline, &rows, &why);
    EXPECT_TRUE(gone == BELFRY_RETRY_LATER || gone == BELFRY_DEADLINE) << conformance::said(gone, why);
    EXPECT_EQ(rows, 0u);
    EXPECT_LT(Clock::now() - start, 3s);
    relay.close_door(false);
    // The pool connects again after a pause; the charge is the same however often it is asked for.
    belfry_code back = gone;
    for (const auto end = Clock::now() + 10s; back != BELFRY_OK && Clock::now() < end;
         std::this_thread::sleep_for(20ms))
        back = limits.try_charge(ten, {five}, limits.queue().host().mono_ns() + 1'000'000'000, &rows, &why);
    ASSERT_EQ(back, BELFRY_OK) << conformance::said(back, why);
    EXPECT_TRUE(limits.charge_one(ten, five).allowed());
    EXPECT_EQ(limits.take(ten, 1, 20), 6u) << "of ten, after three and one that was asked for several times";
}

template <class Relay>
void check_lost_answer(conformance::queue::Limits& limits, Relay& relay, std::string_view marker) {
    const std::vector<belfry_policy> ten{conformance::queue::policy(10, kDayMs)};
    limits.take(ten, 2, 1);  // so that the server knows what will be asked
    relay.lose_answer_to(std::string(marker));
    EXPECT_TRUE(limits.charge_one(ten, conformance::queue::charge_of(1, 7)).allowed());
    EXPECT_EQ(limits.take(ten, 1, 20), 9u);
}

}  // namespace belfry::tests
