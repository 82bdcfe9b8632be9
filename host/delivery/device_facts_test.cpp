// SPDX-License-Identifier: Apache-2.0
#include "delivery/device_facts.h"

#include <gtest/gtest.h>

#include <belfry/abi.hpp>

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
    double forgotten() { return metrics.value("device_facts_forgotten_total"); }

    fakes::QuietLog log;
    fakes::MemoryMetrics metrics;
    fakes::MemoryStorage storage;
    plugins::Faults faults{"memory"};
    plugins::Storage adapter{storage.table(), storage.instance(), faults};
};

TEST_F(DeviceFactsTest, AllThatWasTakenIsDoneBeforeStopReturns) {
    for (uint32_t i = 0; i < 1'000; ++i) storage.add(fakes::MemoryStorage::key_of(i), {});
    DeviceFacts facts(adapter, log, metrics);
    for (uint32_t i = 0; i < 1'000; i += 10) facts.dead("default", facts_of(i, 10));
    facts.stop();
    EXPECT_EQ(storage.size(), 0u);
    EXPECT_EQ(forgotten(), 0);
    facts.dead("default", facts_of(0, 1));  // too late: nothing happens
}

TEST_F(DeviceFactsTest, WhatASlowStorageHasNoTimeForIsForgottenAndCounted) {
    storage.removing_hangs = true;
    DeviceFacts facts(adapter, log, metrics);
    facts.dead("default", facts_of(0, kFactsMax + 1));  // alone it always has room
    facts.dead("default", facts_of(0, 7));
    facts.dead("other", facts_of(0, 5));
    EXPECT_EQ(forgotten(), 12);
    storage.removing_hangs = false;
    facts.stop();
    EXPECT_EQ(storage.invalidated().size(), kFactsMax + 1);
}

}  // namespace
}  // namespace belfry::delivery
