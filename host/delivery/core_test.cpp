// SPDX-License-Identifier: Apache-2.0
// The whole pipeline over stores in memory: what is accepted ends, each delivery in exactly one outcome.
#include <atomic>
#include <mutex>
#include <set>

#include "delivery/core_rig.h"

namespace belfry::delivery {
namespace {

using http::Transport;

TEST(Core, ABroadcastReachesEveryDeviceOfATopicOnce) {
    Rig rig;
    rig.add_devices(5'000, [](uint32_t i, MemoryStorage::Device& device) {
        if (i % 5 == 0) device.topics = {"other"};
    });
    rig.start();
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 4'000);
    EXPECT_EQ(rig.queue.sums(uid).outcomes[BELFRY_FINAL_ACCEPTED], 4'000);
    const std::vector<std::string> sent = rig.sender.sent();
    EXPECT_EQ(sent.size(), 4'000u);
    EXPECT_EQ(std::set<std::string>(sent.begin(), sent.end()).size(), 4'000u);
    EXPECT_EQ(rig.queue.sums(uid).state, BELFRY_PUSH_DONE);
    EXPECT_GT(rig.queue.sums(uid).most_live_items, 1u);
    // More would be a join per row: user, meta, topics and times do not stand beside a subscription.
    EXPECT_EQ(
        rig.storage.scanned_fields & ~uint32_t{BELFRY_FIELD_PROVIDER | BELFRY_FIELD_TOKEN | BELFRY_FIELD_PLATFORM}, 0u);
}

TEST(Core, DecodeSeesTheHeadersItsPlanKeepsOfAcceptedPushesToo) {
    Rig rig([](const http::Exchange& exchange) {
        ScriptedReply reply;
        reply.header = "id-of-" + std::string(exchange.token);
        return reply;
    });
    rig.add_devices(100);
    rig.start();
    ASSERT_TRUE(rig.finished(rig.send(Rig::to_topic("push-1"))));
    const std::vector<std::string> headers = rig.providers.front()->headers();
    const std::set<std::string> distinct(headers.begin(), headers.end());
    EXPECT_EQ(headers.size(), 100u);
    EXPECT_EQ(distinct.size(), 100u);
    for (const std::string& token : rig.sender.sent()) EXPECT_TRUE(distinct.contains("id-of-" + token)) << token;
}

TEST(Core, DevicesOfSeveralTopicsReceiveOnce) {
    Rig rig;
    rig.add_devices(3'000, [](uint32_t i, MemoryStorage::Device& device) {
        device.topics.clear();
        if (i % 2 == 0) device.topics.insert("even");
        if (i % 3 == 0) device.topics.insert("three");
    });
    rig.start();
    const std::string uid = rig.send(Rig::to_topic("push-1", {"even", "three", "nobody"}));
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 2'000);
    const std::vector<std::string> sent = rig.sender.sent();
    EXPECT_EQ(std::set<std::string>(sent.begin(), sent.end()).size(), 2'000u);
    EXPECT_EQ(sent.size(), 2'000u);
}

TEST(Core, UsersAndRawTokensAndNativeTopicsAreReached) {
    Rig rig;
    rig.add_devices(10, [](uint32_t i, MemoryStorage::Device& device) { device.user = i < 3 ? "ann" : "bob"; });
    rig.start();
    PushRequest to_user = Rig::to_topic("user");
    to_user.recipient.filter->topics.clear();
    to_user.recipient.filter->users = {"ann"};
    const std::string user = rig.send(std::move(to_user));
    std::vector<std::string> tokens;
    for (int i = 0; i < 2'500; ++i) tokens.push_back("raw-" + std::to_string(i));
    tokens[7] = "bad-7";
    const std::string raw = rig.send(Rig::to_tokens("raw", tokens));
    PushRequest to_native = Rig::to_topic("native");
    to_native.recipient.filter.reset();
    to_native.recipient.native = NativeTarget{NativeTarget::Kind::Topic, "fake", "weather"};
    const std::string native = rig.send(std::move(to_native));
    ASSERT_TRUE(rig.finished(user) && rig.finished(raw) && rig.finished(native));
    rig.expect_sums(user, 3);
    rig.expect_sums(raw, 2'500);
    rig.expect_sums(native, 1);
    EXPECT_EQ(rig.queue.sums(raw).outcomes[BELFRY_FINAL_ACCEPTED], 2'499);
    EXPECT_EQ(rig.queue.sums(raw).outcomes[BELFRY_FINAL_REFUSED], 1);
}

TEST(Core, EveryFinalVerdictIsCounted) {
    Rig rig([](const http::Exchange& exchange) {
        switch (std::stoi(std::string(exchange.token.substr(6))) % 6) {
            case 0:
                return answer(BELFRY_DEVICE_GONE);
            case 1:
                return answer(BELFRY_REFUSED);
            case 2:
                return answer(BELFRY_EXPIRED);
            case 3:
                return answer(BELFRY_NOT_SUPPORTED);
            case 4:
                return answer(BELFRY_FAULT);
            default:
                return answer(BELFRY_ACCEPTED);
        }
    });
    rig.add_devices(600);
    rig.start();
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 600);
    for (const int32_t outcome : {BELFRY_FINAL_ACCEPTED, BELFRY_FINAL_GONE, BELFRY_FINAL_REFUSED, BELFRY_FINAL_EXPIRED,
                                  BELFRY_FINAL_UNSUPPORTED, BELFRY_FINAL_INTERNAL}) {
        EXPECT_EQ(rig.queue.sums(uid).outcomes[outcome], 100) << outcome;
    }
    EXPECT_EQ(rig.queue.sums(uid).samples.size(), 5u);
    EXPECT_TRUE(Rig::eventually([&] { return rig.storage.size() == 500; }));  // the gone ones were removed
}

TEST(Core, RetriesEndInSuccessOrInTheDeadLetters) {
    std::atomic<int> tries{0};
    Rig rig([&](const http::Exchange& exchange) {
        if (exchange.token == "token-0") ++tries;
        return std::stoi(std::string(exchange.token.substr(6))) % 2 == 0 ? answer(BELFRY_RETRY)
                                                                         : answer(BELFRY_ACCEPTED);
    });
    rig.add_devices(200);
    rig.start();
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(Rig::eventually([&] {
        rig.queue.make_due();
        return rig.queue.sums(uid).live_items == 0;
    }));
    rig.expect_sums(uid, 200);
    EXPECT_EQ(tries.load(), 6);
    EXPECT_EQ(rig.queue.sums(uid).outcomes[BELFRY_FINAL_DEAD], 100);
    EXPECT_EQ(rig.queue.sums(uid).dead_entries, 100u);
}

TEST(Core, StragglersLeaveThePageAndAreCountedWhenTheyAnswer) {
    Rig rig([](const http::Exchange& exchange) {
        ScriptedReply reply;
        reply.hold = exchange.token == "token-500";
        return reply;
    });
    rig.add_devices(2'000);
    rig.start();
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(Rig::eventually([&] { return rig.queue.sums(uid).settled() == 1'999; }));
    EXPECT_EQ(rig.queue.sums(uid).live_items, 1u);  // the straggler's own list
    rig.sender.release();
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 2'000);
    EXPECT_EQ(rig.sender.sent().size(), 2'000u);
}

TEST(Core, DevicesWithoutPayloadAreSkippedAndCounted) {
    Rig rig(accepted, {"fake", "other"});
    rig.add_devices(1'000, [](uint32_t i, MemoryStorage::Device& device) {
        if (i % 4 == 0) device.provider = "other";
    });
    rig.start();
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 1'000);
    EXPECT_EQ(rig.queue.sums(uid).outcomes[BELFRY_FINAL_SKIPPED_NO_PAYLOAD], 250);
}

TEST(Core, SmallPushesTravelInABundleAndKeepTheirOwnSums) {
    Rig rig;
    rig.start();
    std::vector<std::thread> callers;
    for (int i = 0; i < 40; ++i) {
        callers.emplace_back([&rig, i] {
            rig.send(Rig::to_tokens("otp-" + std::to_string(i), {"a-" + std::to_string(i), "b-" + std::to_string(i)}));
        });
    }
    for (std::thread& caller : callers) caller.join();
    for (int i = 0; i < 40; ++i) {
        const std::string uid = "otp-" + std::to_string(i);
        ASSERT_TRUE(rig.finished(uid));
        rig.expect_sums(uid, 2);
    }
    EXPECT_LE(rig.queue.enqueue_calls(), 40u);
    EXPECT_EQ(rig.sender.sent().size(), 80u);
}

TEST(Core, ALateAnswerToABundledPushMayAskForARetry) {
    std::mutex mutex;
    std::set<std::string> asked;
    Rig rig([&](const http::Exchange& exchange) {
        const std::lock_guard lock(mutex);
        const bool first = exchange.token.substr(0, 2) == "b-" && asked.emplace(exchange.token).second;
        ScriptedReply reply = first ? answer(BELFRY_RETRY) : ScriptedReply{};
        reply.hold = first;
        return reply;
    });
    rig.start();
    std::vector<std::thread> callers;
    for (int i = 0; i < 40; ++i) {
        callers.emplace_back([&rig, i] {
            rig.send(Rig::to_tokens("otp-" + std::to_string(i), {"a-" + std::to_string(i), "b-" + std::to_string(i)}));
        });
    }
    for (std::thread& caller : callers) caller.join();
    const auto uid = [](int i) { return "otp-" + std::to_string(i); };
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(Rig::eventually([&] { return rig.queue.sums(uid(i)).settled() == 1; }));
    rig.sender.release();
    for (int i = 0; i < 40; ++i) {
        ASSERT_TRUE(rig.finished(uid(i)));
        rig.expect_sums(uid(i), 2);
    }
    EXPECT_EQ(rig.sender.sent().size(), 120u);
}

TEST(Core, TheSameUidIsStoredOnceAndAnotherRequestUnderItIsAConflict) {
    Rig rig;
    rig.add_devices(10);
    rig.start();
    EXPECT_FALSE(rig.core->accept(Rig::to_topic("push-1"))->duplicate);
    EXPECT_TRUE(rig.core->accept(Rig::to_topic("push-1"))->duplicate);
    PushRequest other = Rig::to_topic("push-1");
    other.fingerprint[0] = 1;
    EXPECT_EQ(rig.core->accept(std::move(other)).error().code, ErrorCode::Conflict);
    EXPECT_FALSE(rig.core->accept(Rig::to_topic(""))->uid.empty());
    ASSERT_TRUE(rig.finished("push-1"));
    rig.expect_sums("push-1", 10);
}

}  // namespace
}  // namespace belfry::delivery
