// SPDX-License-Identifier: Apache-2.0
// Who gets page slots: lanes by weight with slots kept free for the better ones, pushes of a lane in equal shares.
#include <algorithm>

#include "delivery/core_rig.h"

namespace belfry::delivery {
namespace {

constexpr int64_t kNever = 600'000;  // ms

void add_topic(Rig& rig, const std::string& topic, uint32_t first, uint32_t n, const std::string& provider = "fake") {
    for (uint32_t i = first; i < first + n; ++i) {
        MemoryStorage::Device device;
        device.token = topic + "-" + std::to_string(i);
        device.provider = provider;
        device.topics = {topic};
        rig.storage.add(MemoryStorage::key_of(i), device);
    }
}

PushRequest broadcast(const std::string& topic, Lane lane = Lane::Normal) {
    PushRequest push = Rig::to_topic(topic, {topic});
    push.lane = lane;
    return push;
}

bool begins_with(const std::string& text, std::string_view start) {
    return text.compare(0, start.size(), start) == 0;
}

// Requests of broadcasts stay without an answer, so that their pages keep their slots.
ScriptedReply holds_broadcasts(const http::Exchange& exchange) {
    ScriptedReply reply;
    reply.hold = begins_with(std::string(exchange.token), "bulk");
    return reply;
}

TEST(Lanes, ABigAndASmallBroadcastShareEquallyHoweverManySlicesTheyHave) {
    Rig rig([](const http::Exchange&) {
        ScriptedReply reply;
        reply.delay_ms = 2;
        return reply;
    });
    rig.queue.fair = true;
    rig.options.page_slots = 8;
    rig.options.page_rows = 50;
    add_topic(rig, "big", 0, 16'000);
    add_topic(rig, "small", 20'000, 3'000);
    rig.start();
    rig.send(broadcast("big"));
    ASSERT_TRUE(Rig::eventually([&] { return rig.queue.sums("big").live_items >= 8; }));
    rig.send(broadcast("small"));
    ASSERT_TRUE(rig.finished("small"));
    EXPECT_GT(rig.queue.sums("big").live_items, 0u) << "the big one was to be still running";
    const std::vector<std::string> sent = rig.sender.sent();
    const auto small = [](const std::string& token) { return begins_with(token, "small"); };
    const auto first = std::find_if(sent.begin(), sent.end(), small);
    const auto last = std::find_if(sent.rbegin(), sent.rend(), small).base();
    const auto of_small = static_cast<double>(std::count_if(first, last, small));
    const double of_big = static_cast<double>(last - first) - of_small;
    EXPECT_EQ(of_small, 3'000);
    EXPECT_GT(of_big / of_small, 0.6);
    EXPECT_LT(of_big / of_small, 1.7);
    ASSERT_TRUE(rig.finished("big"));
}

TEST(Lanes, ABroadcastMovesToLowOnceEnoughDevicesMatchedUnlessToldOtherwise) {
    Rig rig;
    rig.options.page_rows = 100;
    rig.options.low_after_devices = 500;
    add_topic(rig, "many", 0, 2'000);
    add_topic(rig, "few", 3'000, 300);
    rig.start();
    for (const char* topic : {"many", "few"}) {
        rig.send(broadcast(topic, Lane::ByShape));
        ASSERT_TRUE(rig.finished(topic));
        rig.expect_sums(topic, topic == std::string("many") ? 2'000 : 300);
    }
    EXPECT_EQ(rig.queue.sums("many").lane, BELFRY_LANE_LOW);
    EXPECT_EQ(rig.queue.sums("few").lane, BELFRY_LANE_NORMAL);
    PushRequest told = broadcast("many");
    told.uid = "told";
    rig.send(std::move(told));
    ASSERT_TRUE(rig.finished("told"));
    EXPECT_EQ(rig.queue.sums("told").lane, BELFRY_LANE_NORMAL);
}

TEST(Lanes, NamedRecipientsAreHighAndFiltersNormalByShape) {
    Rig rig;
    rig.add_devices(1'500);
    rig.start();
    const auto lane_of = [&](PushRequest push) {
        const std::string uid = rig.send(std::move(push));
        EXPECT_TRUE(rig.finished(uid));
        return rig.queue.sums(uid).lane;
    };
    EXPECT_EQ(lane_of(Rig::to_tokens("token", {"a"})), BELFRY_LANE_HIGH);
    EXPECT_EQ(lane_of(Rig::to_tokens("tokens", std::vector<std::string>(1'000, "a"))), BELFRY_LANE_HIGH);
    EXPECT_EQ(lane_of(Rig::to_tokens("many-tokens", std::vector<std::string>(1'001, "a"))), BELFRY_LANE_NORMAL);
    EXPECT_EQ(lane_of(Rig::to_topic("topic")), BELFRY_LANE_NORMAL);
    PushRequest user;
    user.app = "default";
    user.uid = "user";
    user.recipient.filter.emplace();
    user.recipient.filter->users = {"user-7"};
    user.payloads["fake"] = "{}";
    EXPECT_EQ(lane_of(std::move(user)), BELFRY_LANE_HIGH);
}

TEST(Lanes, LowLeavesAFifthOfTheSlotsAndOnlyHighGetsTheLastTenth) {
    Rig rig(holds_broadcasts);
    rig.options.page_slots = 20;
    rig.options.page_rows = 20;
    rig.options.straggler_after_ms = kNever;
    rig.options.unsent_ms = kNever;
    rig.options.hard_stop_ms = kNever;
    add_topic(rig, "bulk-low", 0, 4'000);
    add_topic(rig, "bulk-normal", 10'000, 4'000);
    rig.start();
    const auto pages = [&] { return rig.core->providers()[0].pages; };
    const auto settles_at = [&](uint32_t n) {
        return Rig::eventually([&] { return pages() == n; }) && !Rig::eventually([&] { return pages() > n; }, 0);
    };
    rig.send(broadcast("bulk-low", Lane::Low));
    ASSERT_TRUE(settles_at(1));  // one slice until its first page is answered
    // Pages that were answered split the slice; then they are held again.
    const auto answer_until = [&](uint32_t n) {
        return Rig::eventually([&] {
            rig.sender.release();
            return pages() >= n;
        });
    };
    ASSERT_TRUE(answer_until(16));
    ASSERT_TRUE(settles_at(16));
    rig.send(broadcast("bulk-normal"));
    ASSERT_TRUE(Rig::eventually([&] { return pages() >= 17; }));
    const std::string otp = rig.send(Rig::to_tokens("otp", {"otp-1"}));
    EXPECT_TRUE(rig.finished(otp));
    rig.expect_sums(otp, 1);
    EXPECT_LE(pages(), 18u);
    rig.sender.set_script(accepted);
    rig.sender.release();
    ASSERT_TRUE(rig.finished("bulk-low"));
    ASSERT_TRUE(rig.finished("bulk-normal"));
}

TEST(Lanes, HighGoesThroughAGateWhoseShareABroadcastHolds) {
    Rig rig(holds_broadcasts, {"fake", "other"});
    rig.options.page_slots = 20;
    rig.options.page_rows = 20;
    rig.options.straggler_after_ms = kNever;
    rig.options.unsent_ms = kNever;
    rig.options.hard_stop_ms = kNever;
    add_topic(rig, "bulk", 0, 4'000);
    rig.start();
    rig.send(broadcast("bulk"));
    const auto pages = [&] { return rig.core->providers()[0].pages; };
    ASSERT_TRUE(Rig::eventually([&] {
        if (pages() < 10) rig.sender.release();
        return pages() == 10;  // half of the slots
    }));
    const std::string otp = rig.send(Rig::to_tokens("otp", {"otp-1"}));
    EXPECT_TRUE(rig.finished(otp));
    rig.expect_sums(otp, 1);
    rig.sender.set_script(accepted);
    rig.sender.release();
    ASSERT_TRUE(rig.finished("bulk"));
}

}  // namespace
}  // namespace belfry::delivery
