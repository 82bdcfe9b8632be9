// SPDX-License-Identifier: Apache-2.0
// Providers that are not HTTP (send).
#include <mutex>
#include <set>

#include "delivery/core_rig.h"

namespace belfry::delivery {
namespace {

using fakes::ScriptedKind;
using fakes::ScriptedProvider;

class Sends : public testing::Test {
protected:
    ScriptedProvider& provider() { return *rig.providers[0]; }
    void SetUp() override { rig.providers[0] = std::make_unique<ScriptedProvider>(ScriptedKind::Sends); }
    void count() {
        provider().sending = [this](const belfry_item& item) {
            const std::lock_guard lock(mutex);
            sent.push_back(text(item.token));
            return ScriptedReply{};
        };
    }
    size_t sent_n() {
        const std::lock_guard lock(mutex);
        return sent.size();
    }
    std::mutex mutex;
    std::vector<std::string> sent;
    Rig rig;
};

TEST_F(Sends, ABroadcastReachesEveryDeviceOnceOnABoundedPool) {
    count();
    rig.add_devices(1'500);
    rig.start();
    rig.send(Rig::to_topic("u"));
    ASSERT_TRUE(rig.finished("u"));
    rig.expect_sums("u", 1'500);
    EXPECT_EQ(rig.queue.sums("u").outcomes[BELFRY_FINAL_ACCEPTED], 1'500);
    EXPECT_EQ(std::set<std::string>(sent.begin(), sent.end()).size(), 1'500u);
    EXPECT_EQ(sent.size(), 1'500u);
    EXPECT_LE(provider().most_sending, 2);
    EXPECT_TRUE(rig.sender.sent().empty());
}

TEST_F(Sends, VerdictsMeanWhatTheyMeanElsewhere) {
    provider().sending = [](const belfry_item& item) {
        const std::string token = text(item.token);
        if (token == "token-1") return answer(BELFRY_DEVICE_GONE);
        if (token == "token-2") return answer(BELFRY_REFUSED);
        if (token == "token-3" && item.attempt == 1) return answer(BELFRY_RETRY);
        return ScriptedReply{};
    };
    rig.add_devices(5);
    rig.start();
    rig.send(Rig::to_topic("u"));
    ASSERT_TRUE(rig.finished("u"));
    rig.expect_sums("u", 5);
    MemoryQueue::Sums sums = rig.queue.sums("u");
    EXPECT_EQ(sums.outcomes[BELFRY_FINAL_ACCEPTED], 3);
    EXPECT_EQ(sums.outcomes[BELFRY_FINAL_GONE], 1);
    EXPECT_EQ(sums.outcomes[BELFRY_FINAL_REFUSED], 1);
    EXPECT_TRUE(Rig::eventually([&] { return !rig.storage.has(MemoryStorage::key_of(1)); }));
    EXPECT_NE(sums.samples.at(0).find("REASON"), std::string::npos);
}

TEST_F(Sends, EveryAttemptKnowsWhenThePushStarted) {
    std::map<std::string, std::vector<int64_t>> started;
    provider().sending = [&](const belfry_item& item) {
        const std::lock_guard lock(mutex);
        started[text(item.token)].push_back(item.started_unix_ms);
        return item.attempt == 1 ? answer(BELFRY_RETRY, BELFRY_SCOPE_ITEM, 0, 20) : ScriptedReply{};
    };
    rig.add_devices(1);
    rig.start();
    const int64_t from = rig.clock.unix_ms();
    rig.send(Rig::to_topic("slice"));
    rig.send(Rig::to_tokens("bundled", {"raw"}));
    PushRequest later = Rig::to_tokens("later", {"delayed"});
    later.send_at_unix_ms = rig.clock.unix_ms() + 300;
    const int64_t send_at = later.send_at_unix_ms;
    rig.send(std::move(later));
    for (const char* uid : {"slice", "bundled", "later"}) ASSERT_TRUE(rig.finished(uid)) << uid;
    const int64_t to = rig.clock.unix_ms();
    const std::lock_guard lock(mutex);
    for (const char* token : {"token-0", "raw"}) {
        ASSERT_EQ(started[token].size(), 2u) << token;
        EXPECT_EQ(started[token][0], started[token][1]) << token;
        EXPECT_GE(started[token][0], from) << token;
        EXPECT_LT(started[token][0], to) << token;
    }
    EXPECT_EQ(started["delayed"], (std::vector<int64_t>{send_at, send_at}));
}

TEST_F(Sends, OverloadNarrowsTheWindowAsElsewhere) {
    std::atomic<int> first{1};
    provider().sending = [&](const belfry_item&) {
        return first-- > 0 ? answer(BELFRY_THROTTLED, BELFRY_SCOPE_INSTANCE, 0, 20) : ScriptedReply{};
    };
    rig.add_devices(4);
    rig.start();
    const uint32_t whole = rig.core->providers()[0].window;
    rig.send(Rig::to_topic("u"));
    ASSERT_TRUE(rig.finished("u"));
    rig.expect_sums("u", 4);
    EXPECT_LT(rig.core->providers()[0].window, whole);
    EXPECT_EQ(rig.core->providers()[0].state, GateState::Open);
}

TEST_F(Sends, AFailedCallCountsAsAnAttemptForItemsWithoutAVerdict) {
    provider().send_until = 2;
    provider().send_code = BELFRY_RETRY_LATER;
    rig.add_devices(4);
    rig.start();
    rig.send(Rig::to_topic("u"));
    ASSERT_TRUE(Rig::eventually([&] { return rig.queue.sums("u").outcomes[BELFRY_FINAL_ACCEPTED] >= 2; }));
    provider().send_code = BELFRY_OK;
    provider().send_until = UINT32_MAX;
    ASSERT_TRUE(rig.finished("u"));
    rig.expect_sums("u", 4);
    EXPECT_EQ(rig.queue.sums("u").outcomes[BELFRY_FINAL_ACCEPTED], 4);
}

TEST_F(Sends, WhatWaitsForThePaceComesBackWhenThePushIsCancelled) {
    count();
    rig.set_rate(0, 60);  // one a second
    rig.add_devices(20);
    rig.start();
    rig.send(Rig::to_topic("u"));
    ASSERT_TRUE(Rig::eventually([&] { return sent_n() > 0; }));
    ASSERT_EQ(*rig.core->cancel("default", "u"), CancelResult::Cancelled);
    ASSERT_TRUE(rig.finished("u"));
    rig.expect_sums("u", rig.queue.sums("u").planned);
    EXPECT_LT(sent_n(), 10u);
}

TEST_F(Sends, AStopOutlivesTheCallsItCannotEnd) {
    rig.options.stop_answers_ms = rig.options.stop_total_ms = 20;
    provider().sending = [](const belfry_item&) {
        std::this_thread::sleep_for(std::chrono::milliseconds(300));  // a plugin that blocks
        return ScriptedReply{};
    };
    rig.add_devices(4);
    rig.start();
    rig.send(Rig::to_topic("u"));
    ASSERT_TRUE(Rig::eventually([&] { return provider().sending_now > 0; }));
    rig.core->stop();
    EXPECT_EQ(provider().sending_now, 0);
}

TEST_F(Sends, AStopReturnsWhatIsNotSentAndTheNextStartFinishesIt) {
    count();
    rig.set_rate(0, 600);
    rig.add_devices(40);
    rig.start();
    rig.send(Rig::to_topic("u"));
    ASSERT_TRUE(Rig::eventually([&] { return sent_n() > 0; }));
    rig.core->stop();
    const size_t before = sent_n();
    EXPECT_LT(before, 40u);
    rig.queue.reap();
    rig.set_rate(0, 0);
    rig.restart(accepted);
    ASSERT_TRUE(rig.finished("u"));
    rig.expect_sums("u", 40);
    EXPECT_EQ(sent_n(), 40u);
}

}  // namespace
}  // namespace belfry::delivery
