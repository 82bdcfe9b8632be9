// SPDX-License-Identifier: Apache-2.0
#include "plugins/queue.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace belfry::plugins {
namespace {

belfry_code enqueue(belfry_instance*, uint64_t node, belfry_list pushes, belfry_emit emit, void* ctx, belfry_why*) {
    EXPECT_EQ(node, 77u);
    // Answers from the last to the first, and forgets the first.
    for (uint32_t i = pushes.n; i-- > 1;) {
        belfry_enqueued row = sized<belfry_enqueued>();
        row.index = i;
        row.code = view(Rows<belfry_new_push>(pushes)[i].uid) == "twice" ? BELFRY_DUPLICATE : BELFRY_OK;
        static_cast<void>(emit(ctx, one_row(row)));
    }
    return BELFRY_OK;
}
belfry_code claim(belfry_instance*, uint64_t, int32_t lane, belfry_list gates, uint32_t n, uint32_t, belfry_emit emit,
                  void* ctx, belfry_why*) {
    for (const uint32_t gate : Rows<uint32_t>(gates)) {
        for (uint32_t i = 0; i < n; ++i) {
            belfry_claimed row = sized<belfry_claimed>();
            row.gate = gate;
            row.lane = lane;
            if (emit(ctx, one_row(row)) != 0) return BELFRY_OK;
        }
    }
    return BELFRY_OK;
}
belfry_code beat(belfry_instance*, uint64_t node, belfry_pulse* pulse, belfry_why* why) {
    if (node == 13) return because(why, BELFRY_FENCED, "node", "taken for dead");
    pulse->live_nodes = 2;
    return BELFRY_OK;
}
belfry_code list(belfry_instance*, belfry_str, int32_t, belfry_str cursor, uint32_t, belfry_emit, void*, char next[64],
                 belfry_why*) {
    put(next, 64, view(cursor) == "a" ? "b" : "");
    return BELFRY_OK;
}

belfry_queue a_table() {
    belfry_queue table = sized<belfry_queue>();
    table.enqueue = enqueue;
    table.claim = claim;
    table.beat = beat;
    table.list = list;
    return table;
}

TEST(Queue, AnswersAPushThatThePluginForgotAsInternal) {
    Faults faults("queue");
    const belfry_queue table = a_table();
    Queue queue(&table, nullptr, faults);
    std::vector<belfry_new_push> pushes(3, sized<belfry_new_push>());
    pushes[1].uid = str("twice");
    std::array<belfry_code, 3> codes{-1, -1, -1};
    EXPECT_TRUE(queue.enqueue(77, pushes, [&](const belfry_enqueued& row) { codes.at(row.index) = row.code; }));
    EXPECT_EQ(codes, (std::array<belfry_code, 3>{BELFRY_INTERNAL, BELFRY_DUPLICATE, BELFRY_OK}));
    EXPECT_EQ(faults.of(Fault::MissingRow), 1u);
}

TEST(Queue, ClaimsOnlyOpenGatesAndStopsWhenTold) {
    Faults faults("queue");
    const belfry_queue table = a_table();
    Queue queue(&table, nullptr, faults);
    std::vector<uint32_t> gates;
    const std::array<uint32_t, 2> open = {4, 9};
    EXPECT_TRUE(queue.claim(77, BELFRY_LANE_HIGH, open, 2, 0, [&](const belfry_claimed& row) {
        gates.push_back(row.gate);
        return gates.size() < 3;
    }));
    EXPECT_EQ(gates, (std::vector<uint32_t>{4, 4, 9}));
}

TEST(Queue, ReportsAFencedNodeAsCancelled) {
    Faults faults("queue");
    const belfry_queue table = a_table();
    Queue queue(&table, nullptr, faults);
    EXPECT_EQ(queue.beat(77)->live_nodes, 2u);
    EXPECT_EQ(queue.beat(13).error().code, ErrorCode::Cancelled);
    EXPECT_EQ(queue.beat(13).error().to_string(), "node: taken for dead");
}

TEST(Queue, HandsOnTheCursorOfItsLists) {
    Faults faults("queue");
    const belfry_queue table = a_table();
    Queue queue(&table, nullptr, faults);
    EXPECT_EQ(*queue.list("shop", 0, "a", 10, [](const belfry_push_row&) {}), "b");
    EXPECT_EQ(*queue.list("shop", 0, "b", 10, [](const belfry_push_row&) {}), "");
    EXPECT_EQ(queue.dump("", 10, [](const belfry_str&) {}).error().code, ErrorCode::Unsupported);
}

TEST(QueueTable, NamesMandatoryFunctionsThatAreMissing) {
    EXPECT_EQ(Queue::missing(a_table()), "blobs, page, steer, changes, upkeep, lookup, dead, replay, stats");
}

}  // namespace
}  // namespace belfry::plugins
