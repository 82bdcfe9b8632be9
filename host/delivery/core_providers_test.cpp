// SPDX-License-Identifier: Apache-2.0
// A broadcast over several providers: what one of them does is not the others' business.
#include <algorithm>
#include <set>

#include "delivery/core_rig.h"

namespace belfry::delivery {
namespace {

const std::vector<std::string> kNames{"fake", "second", "third"};

class SeveralProviders : public testing::Test {
protected:
    // `each` devices of every provider, each provider's in a name slot of its own.
    void add_devices(uint32_t each) {
        for (uint32_t i = 0; i < each * kNames.size(); ++i) {
            MemoryStorage::Device device;
            device.provider = kNames[i / each];
            device.token = device.provider + "-" + std::to_string(i);
            device.topics = {"news"};
            rig.storage.add(MemoryStorage::key_of(i, i / each + 1), device);
        }
    }
    static PushRequest to_all(std::string uid) {
        PushRequest request = Rig::to_topic(std::move(uid));
        for (const std::string& name : kNames) request.payloads[name] = "{\"to\":\"" + name + "\"}";
        request.lane = Lane::Normal;
        return request;
    }
    size_t sent_to(const std::string& provider) const {
        const std::vector<std::string> sent = rig.sender.sent();
        return static_cast<size_t>(std::count_if(sent.begin(), sent.end(), [&](const std::string& token) {
            return token.compare(0, provider.size() + 1, provider + "-") == 0;
        }));
    }
    void expect_all_reached_once(const std::string& uid, size_t each) {
        rig.expect_sums(uid, static_cast<int64_t>(each * kNames.size()));
        EXPECT_EQ(rig.queue.sums(uid).outcomes[BELFRY_FINAL_ACCEPTED], static_cast<int64_t>(each * kNames.size()));
        const std::vector<std::string> sent = rig.sender.sent();
        EXPECT_EQ(sent.size(), each * kNames.size());
        EXPECT_EQ(std::set<std::string>(sent.begin(), sent.end()).size(), sent.size());
    }
    Rig rig{accepted, kNames};
};

class OneOfThem : public SeveralProviders, public testing::WithParamInterface<std::string> {};

// More of its requests are unanswered than may be left behind: its pages wait, and nobody else's.
TEST_P(OneOfThem, ThatIsSilentHoldsUpNobodyElse) {
    const std::string silent = GetParam();
    rig.sender.set_script([silent](const http::Exchange& exchange) {
        ScriptedReply reply;
        reply.hold = exchange.payload.find(silent) != std::string_view::npos;
        return reply;
    });
    add_devices(1'500);
    rig.start();
    const std::string uid = rig.send(to_all("push-1"));
    ASSERT_TRUE(Rig::eventually([&] { return rig.queue.sums(uid).settled() == 3'000; }, 60));  // a sanitizer is slow
    for (const std::string& name : kNames) {
        if (name == silent) continue;
        EXPECT_EQ(sent_to(name), 1'500u) << name;
    }
    ASSERT_TRUE(Rig::eventually([&] { return rig.sender.pending() >= 1'000; }));
    rig.sender.set_script(accepted);
    rig.sender.release();
    ASSERT_TRUE(rig.finished(uid));
    expect_all_reached_once(uid, 1'500);
}

INSTANTIATE_TEST_SUITE_P(Providers, OneOfThem, testing::ValuesIn(kNames), [](const auto& one) { return one.param; });

TEST_F(SeveralProviders, APageAcrossTheBorderOfTwoIsReadAgainUpToIt) {
    add_devices(700);
    rig.options.page_rows = 1'000;
    rig.start();
    const std::string uid = rig.send(to_all("push-1"));
    ASSERT_TRUE(rig.finished(uid));
    expect_all_reached_once(uid, 700);
}

TEST_F(SeveralProviders, APushThatFitsIntoOnePageIsNotCut) {
    add_devices(100);
    rig.start();
    const std::string uid = rig.send(to_all("push-1"));
    ASSERT_TRUE(rig.finished(uid));
    expect_all_reached_once(uid, 100);
    EXPECT_LE(rig.queue.sums(uid).most_live_items, 1u);
}

TEST_F(SeveralProviders, APushThatIsPausedWhileItIsCutIsNotSentUntilItIsResumed) {
    add_devices(1'500);
    rig.queue.failing_pages = 1'000'000;
    rig.start();
    const std::string uid = rig.send(to_all("push-1"));
    ASSERT_TRUE(Rig::eventually([&] { return rig.queue.page_calls() > 0; }));
    ASSERT_TRUE(rig.core->pause("default", uid));
    rig.queue.failing_pages = 0;
    ASSERT_TRUE(Rig::eventually([&] { return rig.queue.sums(uid).most_live_items == 2; }));
    EXPECT_TRUE(rig.sender.sent().empty());
    ASSERT_TRUE(rig.core->resume("default", uid));
    ASSERT_TRUE(rig.finished(uid));
    expect_all_reached_once(uid, 1'500);
}

TEST_F(SeveralProviders, APageThatLostItsItemBeforeTheCutSendsNothingOfIt) {
    add_devices(1'500);
    rig.queue.failing_pages = 1'000'000;
    rig.start();
    const std::string uid = rig.send(to_all("push-1"));
    ASSERT_TRUE(Rig::eventually([&] { return rig.queue.page_calls() > 0; }));
    rig.queue.reap();
    rig.queue.failing_pages = 0;
    ASSERT_TRUE(rig.finished(uid));
    EXPECT_GE(rig.queue.stale_pages(), 1u);
    expect_all_reached_once(uid, 1'500);
}

TEST_F(SeveralProviders, APushThatIsCancelledWhileItIsCutIsNotSentAtAll) {
    add_devices(1'500);
    rig.queue.failing_pages = 1'000'000;
    rig.start();
    const std::string uid = rig.send(to_all("push-1"));
    ASSERT_TRUE(Rig::eventually([&] { return rig.queue.page_calls() > 0; }));
    ASSERT_TRUE(rig.core->cancel("default", uid));
    rig.queue.failing_pages = 0;
    ASSERT_TRUE(rig.finished(uid));
    EXPECT_TRUE(rig.sender.sent().empty());
    rig.expect_sums(uid, 0);
}

}  // namespace
}  // namespace belfry::delivery
