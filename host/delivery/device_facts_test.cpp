// SPDX-License-Identifier: Apache-2.0
#include "delivery/device_facts.h"

#include <gtest/gtest.h>

#include <belfry/abi.hpp>
#include <chrono>
#include <thread>

#include "fakes/facades.h"
#include "fakes/memory_storage.h"

namespace belfry::delivery {
namespace {

class DeviceFactsTest : public testing::Test {
protected:
    static std::vector<belfry_fact> facts_of(uint32_t first, size_t n) {
        std::vector<belfry_fact> facts(n, sized<belfry_fact>());
        for (size_t i = 0; i < n; ++i) facts[i].key = fakes::MemoryStorage::key_of(first + static_cast<uint32_t>(i));
        return facts;
    }
    // The first call is under way and does not return.
    void hold_first(DeviceFacts& facts, std::vector<belfry_fact> first) {
        storage.removing_hangs = true;
        facts.dead("default", std::move(first));
        while (storage.removals == 0) std::this_thread::yield();
    }
    double forgotten() { return metrics.value("device_facts_forgotten_total"); }

    ManualClock clock;
    fakes::QuietLog log;
    fakes::MemoryMetrics metrics;
    fakes::MemoryStorage storage;
    plugins::Faults faults{"memory"};
    plugins::Storage adapter{storage.table(), storage.instance(), faults};
};

TEST_F(DeviceFactsTest, AllThatWasTakenIsDoneBeforeStopReturns) {
    for (uint32_t i = 0; i < 1'000; ++i) storage.add(fakes::MemoryStorage::key_of(i), {});
    DeviceFacts facts(adapter, clock, log, metrics);
    for (uint32_t i = 0; i < 1'000; i += 10) facts.dead("default", facts_of(i, 10));
    facts.stop(clock.mono_ns() + kNsPerSecond);
    EXPECT_EQ(storage.size(), 0u);
    EXPECT_EQ(forgotten(), 0);
    facts.dead("default", facts_of(0, 1));  // too late: nothing happens
}

TEST_F(DeviceFactsTest, WhatASlowStorageHasNoTimeForIsForgottenAndCounted) {
    storage.removing_hangs = true;
    DeviceFacts facts(adapter, clock, log, metrics);
    facts.dead("default", facts_of(0, kFactsMax + 1));  // alone it always has room
    facts.dead("default", facts_of(0, 7));
    facts.dead("other", facts_of(0, 5));
    EXPECT_EQ(forgotten(), 12);
    storage.removing_hangs = false;
    facts.stop(clock.mono_ns() + kNsPerSecond);
    EXPECT_EQ(storage.invalidated().size(), kFactsMax + 1);
}

TEST_F(DeviceFactsTest, AStopWaitsForNoMoreThanItsTime) {
    DeviceFacts facts(adapter, clock, log, metrics);
    hold_first(facts, facts_of(0, 1));
    facts.dead("default", facts_of(1, 3));
    facts.dead("default", facts_of(4, 3));
    std::thread release([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        storage.removing_hangs = false;
    });
    facts.stop(clock.mono_ns());  // the deadline has passed: only what is under way is finished
    release.join();
    EXPECT_EQ(storage.invalidated().size(), 1u);
    EXPECT_EQ(forgotten(), 6);
}

TEST_F(DeviceFactsTest, WhatCameWhileTheStorageWasBusyIsOneCallForEachApp) {
    DeviceFacts facts(adapter, clock, log, metrics);
    hold_first(facts, facts_of(0, 1));
    for (uint32_t i = 1; i <= 20; ++i) facts.dead(i % 2 == 0 ? "default" : "other", facts_of(i, 1));
    storage.removing_hangs = false;
    facts.stop(clock.mono_ns() + kNsPerSecond);
    EXPECT_EQ(storage.invalidated().size(), 21u);
    EXPECT_EQ(storage.removals, 3);
}

TEST_F(DeviceFactsTest, RestsSevenTimesAsLongAsItWorked) {
    DeviceFacts facts(adapter, clock, log, metrics);
    hold_first(facts, facts_of(0, 1));
    clock.advance(std::chrono::milliseconds(100));
    const auto began = std::chrono::steady_clock::now();
    storage.removing_hangs = false;
    while (storage.invalidated().empty()) std::this_thread::yield();
    facts.dead("default", facts_of(1, 1));
    while (storage.removals == 1) std::this_thread::yield();
    EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(700));
}

}  // namespace
}  // namespace belfry::delivery
