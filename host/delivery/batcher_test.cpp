// SPDX-License-Identifier: Apache-2.0
// Pushes that wait for a group commit.
#include "delivery/batcher.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string>

#include "delivery/queue_rig.h"

namespace belfry::delivery {
namespace {

Result<belfry_enqueued> store(Batcher& batcher, NewPush push) {
    std::promise<Result<belfry_enqueued>> answer;
    batcher.store(std::move(push),
                  [&](NewPush&&, Result<belfry_enqueued>&& given) { answer.set_value(std::move(given)); });
    return answer.get_future().get();
}

TEST(Batcher, BoundsWhatWaitsAndRefusesAfterItsStop) {
    QueueRig rig;
    Options options;
    options.enqueue_waiting_bytes_max = 4'000;
    Node node;
    Wakeup wakeup;
    Batcher batcher(options, rig.queue, node, wakeup);
    NewPush large;
    large.row = sized<belfry_new_push>();
    large.row.lane = BELFRY_LANE_HIGH;
    large.app = "default";
    large.uid = "large";
    large.body = std::string(5'000, 'x');
    EXPECT_EQ(store(batcher, large).error().code, ErrorCode::Busy);
    NewPush small = large;
    small.body = "x";
    const Result<belfry_enqueued> stored = store(batcher, small);
    ASSERT_TRUE(stored);
    EXPECT_EQ(stored->code, BELFRY_OK);
    EXPECT_TRUE(wakeup.wait(std::chrono::seconds(1)));
    batcher.stop();
    EXPECT_EQ(store(batcher, small).error().code, ErrorCode::Unavailable);
}

}  // namespace
}  // namespace belfry::delivery
