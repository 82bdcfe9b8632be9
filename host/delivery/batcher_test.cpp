// SPDX-License-Identifier: Apache-2.0
// Pushes that wait for a group commit.
#include "delivery/batcher.h"

#include <gtest/gtest.h>

#include <atomic>
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

NewPush push_of(const std::string& uid, const std::string& body) {
    NewPush push;
    push.row = sized<belfry_new_push>();
    push.row.lane = BELFRY_LANE_HIGH;
    push.app = "default";
    push.uid = uid;
    push.body = body;
    return push;
}

TEST(Batcher, BoundsWhatWaitsAndRefusesAfterItsStop) {
    QueueRig rig;
    Options options;
    options.enqueue_waiting_bytes_max = 4'000;
    Node node;
    Wakeup wakeup;
    Batcher batcher(options, rig.queue, node, rig.clock, wakeup);
    EXPECT_EQ(store(batcher, push_of("large", std::string(5'000, 'x'))).error().code, ErrorCode::Busy);
    const NewPush small = push_of("small", "x");
    const Result<belfry_enqueued> stored = store(batcher, small);
    ASSERT_TRUE(stored);
    EXPECT_EQ(stored->code, BELFRY_OK);
    EXPECT_TRUE(wakeup.wait(std::chrono::seconds(1)));
    batcher.stop();
    EXPECT_EQ(store(batcher, small).error().code, ErrorCode::Unavailable);
}

// A queue that several nodes share, so that this one may be taken for dead. It notes whether pushes come while it is.
struct SharedRig : QueueRig {
    static inline const belfry_queue* behind = nullptr;
    static inline std::atomic<bool> dead{false}, stored_while_dead{false};
    static belfry_code enqueue(belfry_instance* i, uint64_t who, belfry_list pushes, belfry_emit emit, void* ctx,
                               belfry_why* why) {
        if (dead) stored_while_dead = true;
        return behind->enqueue(i, who, pushes, emit, ctx, why);
    }
    SharedRig() {
        dead = stored_while_dead = false;
        node.confirm(time.mono_ns());
    }
    void stand_still() {
        dead = true;
        time.advance(std::chrono::seconds(10));
    }
    void wake() {
        dead = false;
        node.confirm(time.mono_ns());
    }

    belfry_queue table = [this] {
        behind = memory.table();
        belfry_queue watched = *behind;
        watched.flags |= BELFRY_QUEUE_MULTI_NODE;
        watched.enqueue = &SharedRig::enqueue;
        return watched;
    }();
    plugins::Queue shared{&table, memory.instance(), faults};
    ManualClock time;
    Node node;
    Wakeup wakeup;
    Options options;
    Batcher batcher{options, shared, node, time, wakeup};
};

TEST(Batcher, StoresNothingAfterStandingStillUntilTheNextSignOfLife) {
    SharedRig rig;
    rig.options.beat_awaited_ms = 60'000;
    EXPECT_TRUE(store(rig.batcher, push_of("before", "x")));
    rig.stand_still();
    auto answered = std::async(std::launch::async, [&] { return store(rig.batcher, push_of("after", "x")); });
    EXPECT_EQ(answered.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
    rig.wake();
    EXPECT_TRUE(answered.get());
    EXPECT_FALSE(SharedRig::stored_while_dead);
}

TEST(Batcher, RefusesWhenThatDoesNotCome) {
    SharedRig rig;
    rig.options.beat_awaited_ms = 1;
    rig.stand_still();
    EXPECT_EQ(store(rig.batcher, push_of("uid", "x")).error().code, ErrorCode::Unavailable);
}

TEST(Batcher, WaitsOnceForThatAndNotWhenItStops) {
    SharedRig rig;
    rig.options.beat_awaited_ms = 1;
    rig.stand_still();
    EXPECT_FALSE(store(rig.batcher, push_of("first", "x")));
    rig.options.beat_awaited_ms = 3'600'000;
    EXPECT_FALSE(store(rig.batcher, push_of("second", "x"))) << "at once";
    rig.wake();
    EXPECT_TRUE(store(rig.batcher, push_of("third", "x")));
    rig.stand_still();
    auto waits = std::async(std::launch::async, [&] { return store(rig.batcher, push_of("fourth", "x")); });
    EXPECT_EQ(waits.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
    rig.batcher.stop();
    EXPECT_EQ(waits.get().error().code, ErrorCode::Unavailable);
}

}  // namespace
}  // namespace belfry::delivery
