// SPDX-License-Identifier: Apache-2.0
// What can be asked of a delivery core: recipient counts, dead letters, queue statistics, provider states; and
// steering.
#include "delivery/core_rig.h"

namespace belfry::delivery {
namespace {

constexpr int64_t kLong = 60'000;  // ms

Recipient filter(std::vector<std::string> topics) {
    Recipient recipient;
    recipient.filter.emplace();
    recipient.filter->topics = std::move(topics);
    return recipient;
}

// Of the devices added by add_mixed: provider by parity, platform by thirds, every fifth without a topic.
void add_mixed(Rig& rig, uint32_t n) {
    rig.add_devices(n, [](uint32_t i, MemoryStorage::Device& device) {
        device.provider = i % 2 == 0 ? "fake" : "other";
        device.platform = i % 3 == 0 ? "ios" : "android";
        device.topics = i % 5 == 0 ? std::set<std::string>{"sport"} : std::set<std::string>{"news", "sport"};
    });
}

int64_t sum_of(const RecipientCount& count) {
    int64_t sum = 0;
    for (const RecipientCount::Part& part : count.parts) sum += part.devices;
    return sum;
}

TEST(RecipientCount, ATopicIsCountedByProviderAndPlatform) {
    Rig rig(accepted, {"fake", "other"});
    rig.start();
    add_mixed(rig, 30'000);
    const auto count = rig.core->recipient_count("default", filter({"news"}), kLong);
    ASSERT_TRUE(count) << count.error().to_string();
    EXPECT_TRUE(count->complete);
    EXPECT_EQ(count->devices, 24'000);
    ASSERT_EQ(count->parts.size(), 4u);
    EXPECT_EQ(count->parts[0].provider, "fake");
    EXPECT_EQ(count->parts[0].platform, "android");
    EXPECT_EQ(count->parts[0].devices, 8'000);
    EXPECT_EQ(count->parts[1].platform, "ios");
    EXPECT_EQ(count->parts[1].devices, 4'000);
    EXPECT_EQ(sum_of(*count), count->devices);
}

TEST(RecipientCount, ADeviceOfTwoTopicsCountsOnce) {
    Rig rig(accepted, {"fake", "other"});
    rig.start();
    add_mixed(rig, 30'000);
    const auto count = rig.core->recipient_count("default", filter({"news", "sport", "nobody's"}), kLong);
    ASSERT_TRUE(count) << count.error().to_string();
    EXPECT_EQ(count->devices, 30'000);
    EXPECT_EQ(sum_of(*count), 30'000);
}

TEST(RecipientCount, CountsWhatThePushThenPlans) {
    Rig rig(accepted, {"fake", "other"});
    rig.start();
    add_mixed(rig, 5'000);
    PushRequest push = Rig::to_topic("u", {"news", "sport"});
    push.recipient.filter->platforms = {"ios"};
    push.recipient.filter->providers = {"fake"};
    const auto count = rig.core->recipient_count("default", push.recipient, kLong);
    ASSERT_TRUE(count) << count.error().to_string();
    rig.send(std::move(push));
    ASSERT_TRUE(rig.finished("u"));
    EXPECT_EQ(count->devices, rig.queue.sums("u").planned);
    EXPECT_GT(count->devices, 0);
}

TEST(RecipientCount, NamedDevicesAndUsersRestrictEachOther) {
    Rig rig;
    rig.start();
    rig.add_devices(10);
    Recipient recipient;
    recipient.filter.emplace();
    recipient.filter->device_keys = {MemoryStorage::key_of(1), MemoryStorage::key_of(2), MemoryStorage::key_of(2), 99};
    EXPECT_EQ(rig.core->recipient_count("default", recipient, kLong)->devices, 2);
    recipient.filter->users = {"user-2", "user-3"};
    EXPECT_EQ(rig.core->recipient_count("default", recipient, kLong)->devices, 1);
    recipient.filter->device_keys.clear();
    recipient.filter->users = {"user-2", "user-3", "user-2"};
    EXPECT_EQ(rig.core->recipient_count("default", recipient, kLong)->devices, 2);
    recipient.filter->topics = {"nobody's"};
    EXPECT_EQ(rig.core->recipient_count("default", recipient, kLong)->devices, 0);
}

TEST(RecipientCount, BadRawTokensAreSaidApart) {
    Rig rig;
    rig.start();
    Recipient recipient;
    recipient.tokens = RawTokens{"fake", {"a", "bad-b", "c"}};
    const auto count = rig.core->recipient_count("default", recipient, kLong);
    ASSERT_TRUE(count) << count.error().to_string();
    EXPECT_EQ(count->devices, 2);
    EXPECT_EQ(count->refused, 1);
    ASSERT_EQ(count->parts.size(), 1u);
    EXPECT_EQ(count->parts[0].provider, "fake");
}

TEST(RecipientCount, AnEmptyFilterCountsOnlyIfAllAreMeant) {
    Rig rig;
    rig.start();
    rig.add_devices(7);
    Recipient recipient = filter({});
    EXPECT_EQ(rig.core->recipient_count("default", recipient, kLong).error().code, ErrorCode::InvalidArgument);
    recipient.filter->all = true;
    EXPECT_EQ(rig.core->recipient_count("default", recipient, kLong)->devices, 7);
    EXPECT_EQ(rig.core->recipient_count("another-app", recipient, kLong)->devices, 0);
}

TEST(RecipientCount, ANativeTopicsMembersAreOnlyItsProvidersToCount) {
    Rig rig;
    rig.start();
    Recipient recipient;
    recipient.native = NativeTarget{NativeTarget::Kind::Topic, "fake", "news"};
    EXPECT_EQ(rig.core->recipient_count("default", recipient, kLong).error().code, ErrorCode::Unsupported);
}

TEST(RecipientCount, ADeadlineMakesItALowerBound) {
    Rig rig;
    rig.start();
    rig.add_devices(100);
    const auto count = rig.core->recipient_count("default", filter({"news"}), 0);
    ASSERT_TRUE(count) << count.error().to_string();
    EXPECT_FALSE(count->complete);
    EXPECT_LE(count->devices, 100);
}

TEST(RecipientCount, PlatformsBeyondTheBoundAreCountedButNotNamed) {
    Rig rig;
    rig.start();
    rig.add_devices(kCountPartsMax + 44,
                    [](uint32_t i, MemoryStorage::Device& device) { device.platform = "p" + std::to_string(i); });
    const auto count = rig.core->recipient_count("default", filter({"news"}), kLong);
    ASSERT_TRUE(count) << count.error().to_string();
    EXPECT_EQ(count->parts.size(), kCountPartsMax);
    EXPECT_EQ(count->devices, static_cast<int64_t>(kCountPartsMax + 44));
}

TEST(Steering, SaysWhatAPushWasBefore) {
    Rig rig([](const http::Exchange&) {
        ScriptedReply reply = accepted({});
        reply.hold = true;
        return reply;
    });
    rig.start();
    rig.add_devices(10);
    rig.send(Rig::to_topic("u"));
    EXPECT_EQ(*rig.core->pause("default", "nobody"), SteerResult::Unknown);
    EXPECT_EQ(*rig.core->pause("another-app", "u"), SteerResult::Unknown);
    EXPECT_EQ(*rig.core->resume("default", "u"), SteerResult::AlreadySo);
    EXPECT_EQ(*rig.core->pause("default", "u"), SteerResult::Done);
    EXPECT_EQ(*rig.core->pause("default", "u"), SteerResult::AlreadySo);
    EXPECT_EQ(*rig.core->resume("default", "u"), SteerResult::Done);
    rig.sender.set_script(accepted);
    rig.sender.release();
    ASSERT_TRUE(rig.finished("u"));
    EXPECT_EQ(*rig.core->pause("default", "u"), SteerResult::Finished);
    EXPECT_EQ(*rig.core->resume("default", "u"), SteerResult::Finished);
    rig.expect_sums("u", 10);
}

TEST(DeadLetters, AreListedWithTheirReasonAndReplayedOnce) {
    Rig rig([](const http::Exchange&) { return answer(BELFRY_RETRY); });
    rig.options.attempts.attempts_max = 2;
    rig.start();
    rig.add_devices(30);
    rig.send(Rig::to_topic("u"));
    ASSERT_TRUE(rig.finished("u"));
    const Result<DeadPage> all = rig.core->dead("default", "", 0, 100);
    ASSERT_TRUE(all) << all.error().to_string();
    uint32_t deliveries = 0;
    std::vector<uint64_t> ids;
    for (const DeadLetter& letter : all->letters) {
        EXPECT_EQ(letter.uid, "u");
        EXPECT_EQ(letter.provider, "fake");
        EXPECT_EQ(letter.reason, "REASON");
        EXPECT_EQ(letter.attempt, 2u);
        EXPECT_GT(letter.buried_unix_ms, 0);
        EXPECT_EQ(letter.replayed_unix_ms, 0);
        deliveries += letter.deliveries;
        ids.push_back(letter.id);
    }
    EXPECT_EQ(deliveries, 30u);
    EXPECT_EQ(all->next_after, 0u);
    EXPECT_EQ(rig.core->queue_stats()->dead, static_cast<int64_t>(ids.size()));
    EXPECT_TRUE(rig.core->dead("another-app", "", 0, 100)->letters.empty());
    EXPECT_TRUE(rig.core->dead("default", "another-uid", 0, 100)->letters.empty());

    rig.sender.set_script(accepted);
    EXPECT_EQ(*rig.core->replay("another-app", ids, false), 0u);
    EXPECT_EQ(*rig.core->replay("default", ids, false), ids.size());
    EXPECT_EQ(*rig.core->replay("default", ids, false), 0u);
    ASSERT_TRUE(rig.finished("u"));
    rig.expect_sums("u", 30);
    EXPECT_EQ(rig.queue.sums("u").outcomes[BELFRY_FINAL_ACCEPTED], 30);
    EXPECT_GT(rig.core->dead("default", "u", 0, 100)->letters.at(0).replayed_unix_ms, 0);
}

TEST(DeadLetters, ComeInPages) {
    Rig rig([](const http::Exchange&) { return answer(BELFRY_RETRY); });
    rig.options.attempts.attempts_max = 1;
    rig.start();
    for (uint32_t i = 0; i < 3; ++i) {
        rig.send(Rig::to_tokens("u" + std::to_string(i), {"token"}));
        ASSERT_TRUE(rig.finished("u" + std::to_string(i)));
    }
    const Result<DeadPage> first = rig.core->dead("default", "", 0, 2);
    ASSERT_TRUE(first);
    ASSERT_EQ(first->letters.size(), 2u);
    EXPECT_EQ(first->next_after, first->letters[1].id);
    const Result<DeadPage> second = rig.core->dead("default", "", first->next_after, 2);
    ASSERT_EQ(second->letters.size(), 1u);
    EXPECT_EQ(second->next_after, 0u);
    EXPECT_EQ(second->letters[0].uid, "u2");
}

TEST(QueueStats, SayWhatWaitsAndWhatIsClaimed) {
    Rig rig;
    rig.start();
    rig.add_devices(10);
    ASSERT_EQ(rig.core->queue_stats()->running_pushes, 0);
    PushRequest later = Rig::to_topic("later");
    later.send_at_unix_ms = rig.clock.unix_ms() + 3'600'000;
    rig.send(std::move(later));
    EXPECT_EQ(rig.core->queue_stats()->delayed_pushes, 1);
    rig.send(Rig::to_topic("u"));
    ASSERT_TRUE(rig.finished("u"));
    EXPECT_EQ(rig.core->queue_stats()->running_pushes, 0);
}

TEST(ProviderStates, SayWhatIsUnderWayAndWhatFailedLast) {
    Rig rig([](const http::Exchange& exchange) {
        ScriptedReply reply = exchange.token == "token-0" ? answer(BELFRY_REFUSED) : accepted(exchange);
        reply.hold = exchange.token != "token-0";
        return reply;
    });
    rig.providers[0]->uses_credential = true;
    rig.options.straggler_after_ms = 60'000;
    rig.start();
    rig.add_devices(10);
    rig.send(Rig::to_topic("u"));
    ASSERT_TRUE(Rig::eventually([&] {
        const ProviderStatus state = rig.core->providers().at(0);
        return !state.last_error.empty() && state.in_flight == 10;
    }));
    const ProviderStatus state = rig.core->providers().at(0);
    EXPECT_EQ(state.name, "fake");
    EXPECT_EQ(state.state, GateState::Open);
    EXPECT_EQ(state.last_error, "REASON");
    EXPECT_GT(state.last_error_unix_ms, 0);
    EXPECT_EQ(state.pages, 1u);
    EXPECT_EQ(state.connections, 1);
    EXPECT_GT(state.credential_valid_ms, 3'000'000);
    EXPECT_GT(state.window, 0u);
    rig.sender.release();
    ASSERT_TRUE(rig.finished("u"));
    EXPECT_TRUE(Rig::eventually([&] { return rig.core->providers().at(0).in_flight == 0; }));
}

}  // namespace
}  // namespace belfry::delivery
