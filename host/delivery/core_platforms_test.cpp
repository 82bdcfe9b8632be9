// SPDX-License-Identifier: Apache-2.0
// One platform of a provider that may not be sent to for a while: its devices wait in lists, each once, the others go
// on.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <random>

#include "delivery/core_rig.h"

namespace belfry::delivery {
namespace {

using http::Transport;

constexpr uint32_t kDevices = 3'000;
constexpr int kTroubledRounds = 300;

bool is_apple(std::string_view token) {
    return token.back() % 2 != 0;
}
void every_other_apple(uint32_t i, MemoryStorage::Device& device) {
    device.platform = i % 2 != 0 ? "ios" : "android";
}

// Apple's devices are throttled for moments, and requests of the others come back unsent, until it ends.
class Moody {
public:
    explicit Moody(uint64_t seed) : random_(seed) {}
    ScriptedReply reply(const http::Exchange& exchange) {
        const std::lock_guard lock(mutex_);
        if (!ended && is_apple(exchange.token)) return answer(BELFRY_THROTTLED, BELFRY_SCOPE_PLATFORM, 0, 20);
        if (!ended && random_() % 3 == 0) return without_answer(Transport::NeverSent);
        ++accepted_[std::string(exchange.token)];
        return {};
    }
    int most_of_one() const {
        const std::lock_guard lock(mutex_);
        int most = 0;
        for (const auto& [token, n] : accepted_) most = std::max(most, n);
        return most;
    }
    std::atomic<bool> ended{false};

private:
    mutable std::mutex mutex_;
    std::mt19937_64 random_;
    std::map<std::string, int> accepted_;
};

class CorePlatforms : public testing::TestWithParam<std::vector<std::string>> {};

TEST_P(CorePlatforms, NoDeviceIsPlannedTwiceWhenOthersOfItsPageComeBack) {
    Moody moody(7);
    Rig rig([&](const http::Exchange& exchange) { return moody.reply(exchange); });
    rig.options.page_rows = 100;
    rig.add_devices(kDevices, [](uint32_t i, MemoryStorage::Device& device) {
        every_other_apple(i, device);
        device.topics.insert(i % 3 == 0 ? "first" : "second");
    });
    rig.start();
    const std::string uid = rig.send(Rig::to_topic("push-1", GetParam()));
    int rounds = 0;
    ASSERT_TRUE(Rig::eventually([&] {
        rig.queue.make_due();
        if (++rounds > kTroubledRounds) moody.ended = true;
        return rig.queue.sums(uid).live_items == 0;
    }));
    rig.expect_sums(uid, kDevices);
    EXPECT_EQ(moody.most_of_one(), 1);
}

INSTANTIATE_TEST_SUITE_P(Topics, CorePlatforms,
                         testing::Values(std::vector<std::string>{"news"}, std::vector<std::string>{"first", "second"}),
                         [](const auto& topics) { return topics.param.size() == 1 ? "One" : "Merged"; });

TEST(PausedPlatform, ItsDevicesAreReadOnceAndWaitInLists) {
    Rig rig([](const http::Exchange&) { return answer(BELFRY_THROTTLED, BELFRY_SCOPE_PLATFORM, 0, 60'000); });
    rig.options.page_rows = 100;
    rig.add_devices(kDevices, [](uint32_t, MemoryStorage::Device& device) { device.platform = "ios"; });
    rig.start();
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    EXPECT_TRUE(Rig::eventually([&] { return rig.queue.sums(uid).planned == kDevices; }));
    size_t waiting = 0;
    for (const MemoryQueue::Waiting& list : rig.queue.lists()) waiting += list.entries;
    EXPECT_EQ(waiting, kDevices);
    EXPECT_LE(rig.queue.page_calls(), 2 * kDevices / 100);
}

}  // namespace
}  // namespace belfry::delivery
