// SPDX-License-Identifier: Apache-2.0
// What queue_pg keeps in memory and how it reads its section; the rest is the specification's, on a server.
#include <gtest/gtest.h>

#include "queue_pg/config.h"
#include "queue_pg/lanes.h"

namespace belfry::queue_pg {
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
