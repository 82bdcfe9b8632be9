// SPDX-License-Identifier: Apache-2.0
// Progress, stopped pushes, samples, blocks, caches, the batcher and the words of states.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "delivery/batcher.h"
#include "delivery/page_block.h"
#include "delivery/prepared_push.h"
#include "delivery/progress.h"
#include "delivery/sample_line.h"
#include "delivery/status.h"
#include "delivery/stopped_pushes.h"
#include "delivery/stored_push.h"
#include "fakes/facades.h"
#include "fakes/memory_queue.h"
#include "fakes/scripted_provider.h"

namespace belfry::delivery {
namespace {

TEST(Progress, CountsMatchesAndEstimatesFromThePaceOfTheRange) {
    Progress progress;
    const audience::Hash16 push{1};
    EXPECT_FALSE(progress.eta_ms(push, 1'000, 5 * kNsPerSecond));
    EXPECT_EQ(progress.passed(push, 10, 100, kNsPerSecond), 10u);
    EXPECT_EQ(progress.passed(push, 5, 100, 2 * kNsPerSecond), 15u);
    ASSERT_TRUE(progress.eta_ms(push, 400, 3 * kNsPerSecond));
    EXPECT_EQ(*progress.eta_ms(push, 400, 3 * kNsPerSecond), 4'000);
    for (uint8_t i = 0; i < 255; ++i) {
        for (uint8_t j = 0; j < 20; ++j) progress.passed({i, j, 9}, 1, 1, 0);
    }
    EXPECT_FALSE(progress.eta_ms(push, 400, 3 * kNsPerSecond));  // forgotten: bounded
}

TEST(StoppedPushes, RemembersAWhileAndForgetsWhatRunsAgain) {
    ManualClock clock;
    StoppedPushes stopped(clock);
    const audience::Hash16 push{1};
    EXPECT_EQ(stopped.state(push), 0);
    stopped.set(push, BELFRY_PUSH_CANCELLED);
    EXPECT_EQ(stopped.state(push), BELFRY_PUSH_CANCELLED);
    const uint64_t version = stopped.version();
    stopped.set(push, BELFRY_PUSH_RUNNING);
    EXPECT_EQ(stopped.state(push), 0);
    EXPECT_NE(stopped.version(), version);
    stopped.set(push, BELFRY_PUSH_EXPIRED);
    clock.advance(std::chrono::minutes(5));
    EXPECT_EQ(stopped.state(push), 0);  // its uid may belong to another push now
}

TEST(SampleLine, IsOneLineOfJsonOfAtMost512Bytes) {
    SampleFacts facts;
    facts.provider = "fcm";
    facts.outcome = "refused";
    facts.device_key = 77;
    facts.attempt = 2;
    facts.status = 400;
    facts.reason = "INVALID \"x\"\n\x01 \xff \xc3\xa9";
    const auto line = nlohmann::json::parse(sample_line(facts));
    EXPECT_EQ(line["provider"], "fcm");
    EXPECT_EQ(line["outcome"], "refused");
    EXPECT_EQ(line["device_key"], 77);
    EXPECT_EQ(line["attempt"], 2);
    EXPECT_EQ(line["status"], 400);
    EXPECT_EQ(line["error"], "INVALID \"x\"\n\x01 ? \xc3\xa9");
    std::string endless;
    for (int i = 0; i < 700; ++i) endless += i % 3 == 0 ? "\xe2\x82\xac" : "\"";
    facts.reason = endless;
    EXPECT_LE(sample_line(facts).size(), 512u);
    EXPECT_TRUE(nlohmann::json::accept(sample_line(facts)));
}

TEST(Block, HoldsEntriesWithTheirTokensUntilItIsFull) {
    BlockPool pool(2);
    Block* block = pool.take();
    ASSERT_NE(block, nullptr);
    EXPECT_FALSE(block->has_room(kBlockBytes));
    const std::string token(160, 't');
    uint32_t n = 0;
    while (block->has_room(token.size())) {
        block->add(token, {}).ref = n;
        block->add_exchange(n, 1);
        ++n;
    }
    EXPECT_GT(n, 64u);
    EXPECT_LE(n, kBlockEntries);
    EXPECT_EQ(block->token(n - 1), token);
    EXPECT_EQ(block->entries[n - 1].ref, n - 1);
    EXPECT_EQ(block->exchanges().size(), n);
    EXPECT_NE(pool.take(), nullptr);
    EXPECT_EQ(pool.take(), nullptr);
    EXPECT_EQ(pool.free(), 0u);
    pool.give_back(block);
    EXPECT_EQ(pool.free(), 1u);
    EXPECT_EQ(pool.take()->entries_n, 0u);
}

TEST(Block, KeepsDataBehindTokensAndGivesItsOutboxesBack) {
    BlockPool pool(1);
    Block* block = pool.take();
    block->add("token-1", "data-1");
    block->add("token-2", {});
    EXPECT_EQ(block->token(0), "token-1");
    EXPECT_EQ(block->data(0), "data-1");
    EXPECT_EQ(block->token(1), "token-2");
    EXPECT_EQ(block->data(1), "");
    Outbox* outbox = pool.outbox_for(*block);
    ASSERT_NE(outbox, nullptr);
    EXPECT_EQ(pool.outbox_for(*block), outbox) << "it has room still";
    for (uint32_t n = 1; n < kBlockOutboxes; ++n) {
        outbox->used = kOutboxBytes - kEncodeRoom + 1;
        outbox = pool.outbox_for(*block);
        ASSERT_NE(outbox, nullptr);
        EXPECT_EQ(outbox->used, 0u);
    }
    outbox->used = kOutboxBytes;
    EXPECT_EQ(pool.outbox_for(*block), nullptr) << "a block has at most so many";
    EXPECT_EQ(pool.free_outboxes(), kOutboxesMax - kBlockOutboxes);
    pool.give_back(block);
    EXPECT_EQ(pool.free_outboxes(), kOutboxesMax);
    EXPECT_EQ(pool.outbox_for(*pool.take())->used, 0u);
}

struct QueueRig {
    SystemClock clock;
    fakes::MemoryQueue memory{clock};
    plugins::Faults faults{"queue"};
    plugins::Queue queue{memory.table(), memory.instance(), faults};
};

// The blob id of the body of a push that is stored with this body.
uint64_t store_body(QueueRig& rig, const std::string& uid, const std::string& body) {
    belfry_new_push push = sized<belfry_new_push>();
    belfry_new_item item = sized<belfry_new_item>();
    item.kind = BELFRY_WORK_SLICE;
    item.blob = UINT32_MAX;
    item.hi = 1;
    push.lane = BELFRY_LANE_NORMAL;
    push.app = str(std::string_view("default"));
    push.uid = str(std::string_view(uid));
    push.body = str(std::string_view(body));
    push.items = one_row(item);
    EXPECT_TRUE(rig.queue.enqueue(1, std::span(&push, 1), [](const belfry_enqueued&) {}));
    uint64_t blob = 0;
    EXPECT_TRUE(rig.queue.claim(1, BELFRY_LANE_NORMAL, {}, 1, 0, [&](const belfry_claimed& row) { blob = row.body; }));
    return blob;
}

TEST(StoredPushes, KeepWhatWasReadLastWithinTheirBytes) {
    QueueRig rig;
    PushBody body;
    body.payloads = {{"fcm", std::string(4'000, 'x')}};
    StoredPushes stored(rig.queue, 10'000);
    const uint64_t first = store_body(rig, "a", encode_body(body));
    const auto held = stored.body(first);
    ASSERT_TRUE(held);
    EXPECT_EQ((*held)->body.payloads, body.payloads);
    EXPECT_EQ(*stored.body(first), *held);  // the same object
    for (const char* uid : {"b", "c", "d"}) ASSERT_TRUE(stored.body(store_body(rig, uid, encode_body(body))));
    EXPECT_NE(*stored.body(first), *held);  // dropped meanwhile, and read again
    EXPECT_EQ(stored.body(4'711).error().code, ErrorCode::NotFound);
    EXPECT_EQ(stored.body(store_body(rig, "bad", "not a body")).error().code, ErrorCode::Corrupt);
}

class PreparedCacheTest : public testing::Test {
protected:
    PreparedCacheTest() {
        generation->number = 1;
        generation->provider = &provider;
        PushBody body;
        body.payloads = {{"fake", "{}"}, {"refused", "refuse this"}};
        push = *open_push(encode_body(body));
    }
    Result<std::shared_ptr<PreparedPush>> get(size_t payload, uint8_t push_id) {
        PreparedPush::Content content;
        content.kind = BELFRY_CONTENT_TOKENS;
        content.push_id[0] = push_id;
        return cache.get(push, push->body.payloads[payload].second, gate, generation, content);
    }
    SystemClock clock;
    fakes::QuietLog log;
    fakes::MemoryMetrics metrics;
    fakes::ScriptedProvider plugin;
    plugins::Faults faults{"fake"};
    plugins::Provider provider{plugin.table(), plugin.instance(), faults};
    fakes::ScriptedSender sender{[](const http::Exchange&) { return fakes::ScriptedReply{}; }};
    std::shared_ptr<Generation> generation = std::make_shared<Generation>();
    Gate gate{"fake", 1, 0, sender, clock, log, metrics};
    std::shared_ptr<const StoredPush> push;
    PreparedCache cache{2};
};

TEST_F(PreparedCacheTest, PreparesOncePerPushAndReleasesWhatIsDropped) {
    EXPECT_EQ(*get(0, 1), *get(0, 1));
    EXPECT_EQ(plugin.prepared.load(), 1);
    ASSERT_TRUE(get(0, 2));
    ASSERT_TRUE(get(0, 3));
    EXPECT_EQ(plugin.prepared.load(), 3);
    EXPECT_EQ(plugin.released.load(), 1);
    cache.clear();
    EXPECT_EQ(plugin.released.load(), 3);
}

TEST_F(PreparedCacheTest, ARefusalOfOnePushSaysNothingAboutItsTwin) {
    (*get(0, 1))->refuse("bad topic");
    EXPECT_TRUE((*get(0, 1))->refused());
    EXPECT_EQ((*get(0, 1))->refusal(), "bad topic");
    EXPECT_FALSE((*get(0, 2))->refused());
}

TEST_F(PreparedCacheTest, CompilesThePlanOfEachVariant) {
    const std::shared_ptr<PreparedPush> prepared = *get(0, 1);
    EXPECT_EQ(prepared->plan(1).variant, 1u);
    EXPECT_EQ(prepared->plan(99).variant, 0u);
    EXPECT_EQ(prepared->plan(0).plan.method, "POST");
    EXPECT_EQ(prepared->plan(0).plan.text, "/send");
    ASSERT_EQ(prepared->plan(0).plan.body.size(), 3u);
    EXPECT_EQ(prepared->plan(0).plan.body[1].kind, http::PieceKind::Token);
    EXPECT_TRUE(prepared->plan(0).wants_delivery_id);
    EXPECT_EQ(get(1, 2).error().code, ErrorCode::InvalidArgument);
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
    EXPECT_EQ(batcher.store(large).error().code, ErrorCode::Busy);
    NewPush small = large;
    small.body = "x";
    const Result<belfry_enqueued> stored = batcher.store(small);
    ASSERT_TRUE(stored);
    EXPECT_EQ(stored->code, BELFRY_OK);
    EXPECT_TRUE(wakeup.wait(std::chrono::seconds(1)));
    batcher.stop();
    EXPECT_EQ(batcher.store(small).error().code, ErrorCode::Unavailable);
}

TEST(Status, SpeaksTheWordsOfTheApi) {
    EXPECT_EQ(word_of_state(BELFRY_PUSH_DELAYED), "delayed");
    EXPECT_EQ(word_of_state(BELFRY_PUSH_EXPIRED), "expired");
    EXPECT_EQ(word_of_state(77), "unknown");
    EXPECT_EQ(state_of_word("running"), BELFRY_PUSH_RUNNING);
    EXPECT_EQ(state_of_word("nonsense"), 0);
    EXPECT_EQ(word_of_lane(BELFRY_LANE_LOW), "low");
}

}  // namespace
}  // namespace belfry::delivery
