// SPDX-License-Identifier: Apache-2.0
// Stores that fail, hang, refuse or give an item to another, and stops meanwhile: nothing is lost, nothing waits for
// ever.
#include <atomic>
#include <future>
#include <mutex>
#include <set>

#include "delivery/core_rig.h"

namespace belfry::delivery {
namespace {

using http::Transport;

TEST(CoreStoreTrouble, FailingStoresAreWaitedFor) {
    Rig rig;
    rig.add_devices(1'500);
    rig.start();
    rig.storage.failing_reads = 2;
    rig.queue.failing_pages = 3;
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 1'500);
    EXPECT_EQ(rig.sender.sent().size(), 1'500u);
}

// Claims of a queue that does not answer for a while.
struct HeldClaims {
    static inline const belfry_queue* behind = nullptr;
    static inline std::atomic<bool> holds{false}, held{false};
    static belfry_code claim(belfry_instance* i, uint64_t node, int32_t lane, belfry_list gates, uint32_t n,
                             uint32_t wait_ms, belfry_emit emit, void* ctx, belfry_why* why) {
        for (; holds; std::this_thread::sleep_for(std::chrono::milliseconds(1))) held = true;
        return behind->claim(i, node, lane, gates, n, wait_ms, emit, ctx, why);
    }
};

TEST(CoreStoreTrouble, AClaimThatDoesNotReturnHoldsNoStopUp) {
    Rig rig([](const http::Exchange&) {
        ScriptedReply reply;
        reply.delay_ms = 60'000;
        return reply;
    });
    plugins::Faults faults("fake");
    belfry_queue table = *rig.queue.table();
    table.claim = &HeldClaims::claim;
    HeldClaims::behind = rig.queue.table();
    plugins::Queue queue(&table, rig.queue.instance(), faults);
    plugins::Storage storage(rig.storage.table(), rig.storage.instance(), faults);
    plugins::Provider provider(rig.providers[0]->table(), rig.providers[0]->instance(), faults);
    Result<std::unique_ptr<Core>> made = make(rig.options, storage, queue, {{"fake", 0, &provider, nullptr}},
                                              rig.sender, rig.clock, rig.log, rig.metrics);
    ASSERT_TRUE(made && (*made)->start());
    rig.core = std::move(*made);
    rig.send(Rig::to_tokens("sent", {"t"}));
    ASSERT_TRUE(Rig::eventually([&] { return rig.sender.pending() == 1; }));
    HeldClaims::holds = true;
    ASSERT_TRUE(Rig::eventually([&] { return HeldClaims::held.load(); }));
    rig.send(Rig::to_tokens("late", {"t"}));
    std::thread stop([&] { rig.core->stop(); });
    // The page in flight settles though the claim is still under way.
    EXPECT_TRUE(Rig::eventually([&] { return rig.sender.pending() == 0; }, 10));
    HeldClaims::holds = false;
    stop.join();
    rig.core.reset();
    EXPECT_EQ(rig.sender.sent().size(), 1u) << "what was claimed after the stop is not sent";
}

TEST(CoreStoreTrouble, ADamagedItemKeepsNoOthersProgressWaiting) {
    Rig rig;
    rig.add_devices(1'500);
    rig.queue.damaged_uid = "damaged";
    rig.start();
    rig.send(Rig::to_tokens("damaged", {"t"}));
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 1'500);
    EXPECT_TRUE(Rig::eventually(
        [&] { return rig.log.count("the queue refuses a checkpoint; its item is left to the queue") > 0; }));
}

TEST(CoreStoreTrouble, AFailedEnqueueIsAnErrorAndABusyQueueSaysSo) {
    Rig rig;
    rig.start();
    rig.queue.failing_enqueues = 1;
    EXPECT_EQ(rig.core->accept(Rig::to_tokens("a", {"t"})).error().code, ErrorCode::Unavailable);
    rig.queue.busy = true;
    EXPECT_EQ(rig.core->accept(Rig::to_tokens("b", {"t"})).error().code, ErrorCode::Busy);
}

TEST(CoreStoreTrouble, APageThatLostItsItemIsDiscardedAndRepeatedByTheNextOwner) {
    Rig rig([](const http::Exchange&) {
        ScriptedReply reply;
        reply.delay_ms = 60;
        return reply;
    });
    rig.add_devices(100);
    rig.start();
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(Rig::eventually([&] { return rig.sender.pending() == 100; }));
    rig.queue.reap();
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 100);
    EXPECT_EQ(rig.queue.stale_pages(), 1u);
    EXPECT_EQ(rig.sender.sent().size(), 200u);  // at least once, never less
}

TEST(CoreStoreTrouble, StopReturnsWhatIsUnsentAndTheNextStartFinishesIt) {
    Rig rig([](const http::Exchange& exchange) {
        ScriptedReply reply;
        if (exchange.token.size() % 2 == 0) return reply;
        reply.transport = Transport::NeverSent;
        reply.hold = true;
        return reply;
    });
    rig.add_devices(2'500);
    rig.start();
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(Rig::eventually([&] { return rig.sender.pending() > 0; }));
    const auto began = std::chrono::steady_clock::now();
    rig.core->stop();
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
    EXPECT_EQ(rig.core->accept(Rig::to_tokens("late", {"t"})).error().code, ErrorCode::Unavailable);
    EXPECT_GT(rig.queue.sums(uid).live_items, 0u);
    EXPECT_EQ(rig.providers[0]->prepared.load(), rig.providers[0]->released.load());
    rig.restart(accepted);
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 2'500);
    EXPECT_EQ(rig.queue.sums(uid).outcomes[BELFRY_FINAL_ACCEPTED], 2'500);
    EXPECT_EQ(rig.sender.sent().size(), 2'500u);  // nothing twice: what was unsent never went out
}

}  // namespace
}  // namespace belfry::delivery
