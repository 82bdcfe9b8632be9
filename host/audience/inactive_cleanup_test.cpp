// SPDX-License-Identifier: Apache-2.0
#include "audience/inactive_cleanup.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>

#include "fakes/facades.h"

// Devices by app: when each was last seen. Counts what it was asked.
struct belfry_instance {
    std::map<std::string, std::vector<int64_t>> seen;
    std::vector<int64_t> cuts;
    std::atomic<int> calls{0};
    bool broken = false;
};

namespace belfry::audience {
namespace {

using std::chrono::milliseconds;
constexpr int64_t kDayMs = 86'400'000;

belfry_code expire(belfry_instance* self, belfry_str app, int64_t before, uint32_t limit, uint32_t* removed,
                   int32_t* more, belfry_why* why) {
    ++self->calls;
    self->cuts.push_back(before);
    if (self->broken) return because(why, BELFRY_RETRY_LATER, "", "locked");
    *removed = 0;
    auto& devices = self->seen[text(app)];
    for (size_t i = 0; i < devices.size() && *removed < limit;) {
        if (devices[i] < before) {
            devices.erase(devices.begin() + static_cast<std::ptrdiff_t>(i));
            ++*removed;
        } else {
            ++i;
        }
    }
    *more = *removed == limit ? 1 : 0;
    return BELFRY_OK;
}

belfry_storage table() {
    belfry_storage t = sized<belfry_storage>();
    t.flags = BELFRY_STORAGE_EXPIRE;
    t.expire = expire;
    return t;
}

class Cleanup : public ::testing::Test {
protected:
    Cleanup() {
        const int64_t now = clock_.unix_ms();
        memory_.seen["a"] = {now - 40 * kDayMs, now - 31 * kDayMs, now - 29 * kDayMs, now};
        memory_.seen["b"] = std::vector<int64_t>(450, now - 50 * kDayMs);
    }
    belfry_instance memory_;
    plugins::Faults faults_{"storage"};
    const belfry_storage table_ = table();
    plugins::Storage storage_{&table_, &memory_, faults_};
    ManualClock clock_;
    fakes::QuietLog log_;
    fakes::MemoryMetrics metrics_;
    InactiveCleanup cleanup_{{"a", "b"}, milliseconds(30 * kDayMs), storage_, clock_, log_, metrics_};
};

TEST_F(Cleanup, RemovesOnlyWhatIsOlderThanTheAgeInEveryApp) {
    while (cleanup_.step() < std::chrono::minutes(5)) {
    }
    EXPECT_EQ(memory_.seen["a"].size(), 2U);
    EXPECT_TRUE(memory_.seen["b"].empty());
    EXPECT_EQ(metrics_.value("devices_expired_total"), 452);
}

TEST_F(Cleanup, GoesInSmallBatchesUnderOneCutAndRestsLongBetweenRounds) {
    const int64_t cut = clock_.unix_ms() - 30 * kDayMs;
    int steps = 1;
    for (; cleanup_.step() < std::chrono::seconds(1); ++steps) clock_.advance(std::chrono::seconds(1));
    EXPECT_EQ(steps, 4);  // a: 1, b: 200 + 200 + 50
    EXPECT_EQ(memory_.cuts, std::vector<int64_t>(4, cut));
    clock_.advance(std::chrono::hours(24));
    cleanup_.step();
    EXPECT_EQ(memory_.cuts.back(), clock_.unix_ms() - 30 * kDayMs);
    EXPECT_EQ(memory_.seen["a"].size(), 1U);
}

TEST_F(Cleanup, GoesOnWhereItWasAfterTrouble) {
    cleanup_.step();
    memory_.broken = true;
    EXPECT_EQ(cleanup_.step(), std::chrono::minutes(1));
    EXPECT_EQ(memory_.seen["b"].size(), 450U);
    memory_.broken = false;
    while (cleanup_.step() < std::chrono::minutes(5)) {
    }
    EXPECT_TRUE(memory_.seen["b"].empty());
}

TEST_F(Cleanup, LooksAtAppsThatCameLater) {
    cleanup_.step();
    cleanup_.set_apps({"a", "b", "c"});
    memory_.seen["c"] = {clock_.unix_ms() - 90 * kDayMs};
    while (cleanup_.step() < std::chrono::minutes(5)) {
    }
    EXPECT_EQ(memory_.seen["c"].size(), 1U) << "a round ends as it began";
    while (cleanup_.step() < std::chrono::minutes(5)) {
    }
    EXPECT_TRUE(memory_.seen["c"].empty());
}

TEST_F(Cleanup, StopsWhileItRests) {
    cleanup_.start();
    while (memory_.calls < 1) std::this_thread::yield();
    cleanup_.stop();
    EXPECT_GE(memory_.calls, 1);
}

}  // namespace
}  // namespace belfry::audience
