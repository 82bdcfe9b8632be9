// SPDX-License-Identifier: Apache-2.0
// What queue_pg keeps in memory and how it reads its section; the rest is the specification's, on a server.
#include <gtest/gtest.h>

#include "queue/silence.h"
#include "queue_pg/config.h"
#include "queue_pg/lanes.h"

namespace belfry::queue_pg {
using queue_parts::Silence;

namespace {

std::string refusal(const char* json) {
    try {
        parse_config(json);
    } catch (const Refused& refused) {
        return refused.where() + ": " + refused.what();
    }
    return "taken";
}

TEST(QueuePgConfig, NamesTheKeyThatIsWrong) {
    EXPECT_EQ(refusal(R"({"dsn":"","lease_s":10,"progress_durability":"strict"})"), "taken");
    EXPECT_EQ(refusal("{}"), "dsn: name the database: dsn = \"postgresql://belfry@localhost/belfry\"");
    EXPECT_EQ(refusal(R"({"dsn":"","lease_s":9})"), "lease_s: must be a number from 10 to 86400");
    EXPECT_EQ(refusal(R"({"dsn":"","progress_durability":"slow"})"),
              "progress_durability: must be \"fast\" or \"strict\"");
    EXPECT_EQ(refusal(R"({"dsn":"","results_days":1,"uid_window_hours":48})"),
              "results_days: must not be shorter than uid_window_hours");
    EXPECT_EQ(refusal(R"({"dsn":"","path":"queue.db"})").substr(0, 28), "path: unknown key; known are");
}

constexpr int64_t kSecond = 1'000'000'000;

TEST(Silence, EndsALeaseByTheObserversClockOnly) {
    Silence silence(10'000);
    const Silence::Signs signs{{1, 500}, {2, 500}};
    int64_t now = 0;
    for (; now <= 10 * kSecond; now += kSecond) EXPECT_TRUE(silence.look(signs, now).empty()) << now;
    EXPECT_EQ(silence.look(signs, now), signs);
    EXPECT_EQ(silence.look({{1, 500}, {2, 400}}, now + 1).size(), 1u) << "a sign, though the server's clock went back";
}

TEST(Silence, DoesNotCountWhatNobodyCouldSee) {
    Silence silence(10'000);
    const Silence::Signs signs{{1, 500}};
    for (int64_t now = 0; now <= 8 * kSecond; now += 2 * kSecond) silence.look(signs, now);
    EXPECT_TRUE(silence.look(signs, 20 * kSecond).empty()) << "the database was away, or this process stood still";
    EXPECT_TRUE(silence.look(signs, 25 * kSecond).empty());
    EXPECT_TRUE(silence.look(signs, 30 * kSecond).empty());
    EXPECT_EQ(silence.look(signs, 31 * kSecond), signs);
}

TEST(Lanes, LookBelowTheFloorNowAndThen) {
    constexpr int64_t kFar = int64_t{1} << 50;
    Lanes lanes;
    EXPECT_EQ(lanes.floor(2, 0), -1);
    lanes.claimed(2, 0, kFar);
    int full = 0;
    for (int i = 0; i < 128; ++i) {
        const int64_t floor = lanes.floor(2, 0);
        EXPECT_LT(floor, kFar);
        full += floor == -1 ? 1 : 0;
    }
    EXPECT_EQ(full, 2);
    EXPECT_EQ(lanes.floor(1, 0), -1) << "another lane";
    lanes.forget_floors(2);
    EXPECT_EQ(lanes.floor(2, 0), -1);
}

}  // namespace
}  // namespace belfry::queue_pg
