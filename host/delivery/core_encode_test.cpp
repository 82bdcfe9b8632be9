// SPDX-License-Identifier: Apache-2.0
// Providers that write their requests themselves (encode).
#include <mutex>
#include <set>

#include "delivery/core_rig.h"

namespace belfry::delivery {
namespace {

using fakes::ScriptedKind;
using fakes::ScriptedProvider;

// What went over the wire, by the sender's script.
class Wire {
public:
    ScriptedReply operator()(const http::Exchange& exchange) {
        const std::lock_guard lock(mutex_);
        if (exchange.encoded == nullptr) return without_answer(http::Transport::Unsendable);
        bodies.emplace_back(exchange.encoded->body);
        endpoints.push_back(exchange.endpoint);
        headers = exchange.encoded->headers;
        path = exchange.encoded->path;
        return {};
    }
    std::vector<std::string> lines() {
        const std::lock_guard lock(mutex_);
        std::vector<std::string> all;
        for (const std::string& body : bodies) {
            for (size_t at = 0; at < body.size();) {
                const size_t end = body.find('\n', at);
                all.push_back(body.substr(at, end - at));
                at = end + 1;
            }
        }
        return all;
    }
    // In one request.
    size_t most_devices() {
        const std::lock_guard lock(mutex_);
        size_t most = 0;
        for (const std::string& body : bodies)
            most = std::max<size_t>(most, static_cast<size_t>(std::count(body.begin(), body.end(), '\n')));
        return most;
    }
    std::vector<std::string> bodies;
    std::vector<http::EndpointId> endpoints;
    std::string headers, path;

private:
    std::mutex mutex_;
};

class Encoded : public testing::Test {
protected:
    ScriptedProvider& provider() { return *rig.providers[0]; }
    void SetUp() override { rig.providers[0] = std::make_unique<ScriptedProvider>(ScriptedKind::Encodes); }
    Wire wire;
    Rig rig{[this](const http::Exchange& exchange) { return wire(exchange); }};
};

TEST_F(Encoded, ABroadcastReachesEveryDeviceOnceWithItsData) {
    rig.add_devices(2'500,
                    [](uint32_t i, MemoryStorage::Device& device) { device.data = "keys-" + std::to_string(i); });
    rig.start();
    rig.send(Rig::to_topic("u"));
    ASSERT_TRUE(rig.finished("u"));
    rig.expect_sums("u", 2'500);
    EXPECT_EQ(rig.queue.sums("u").outcomes[BELFRY_FINAL_ACCEPTED], 2'500);
    const std::vector<std::string> lines = wire.lines();
    ASSERT_EQ(lines.size(), 2'500u);
    std::set<std::string> distinct, ids;
    for (const std::string& line : lines) {
        const size_t number = line.find('-') + 1;
        const std::string n = line.substr(number, line.find(' ') - number);
        EXPECT_EQ(line.rfind("token-" + n + " keys-" + n + " 1 ", 0), 0u) << line;
        distinct.insert(line.substr(0, line.find(' ')));
        ids.insert(line.substr(line.rfind(' ')));
    }
    EXPECT_EQ(distinct.size(), 2'500u);
    EXPECT_EQ(ids.size(), 2'500u);
    EXPECT_EQ(wire.headers, "x-kind: encoded\n");
    EXPECT_EQ(wire.path.rfind("/e/token-", 0), 0u);
}

TEST_F(Encoded, APrefixIsEnoughAndTheRestIsAskedForAgain) {
    provider().items_per_encode = 7;
    rig.add_devices(300);
    rig.start();
    rig.send(Rig::to_topic("u"));
    ASSERT_TRUE(rig.finished("u"));
    rig.expect_sums("u", 300);
    EXPECT_EQ(wire.lines().size(), 300u);
    EXPECT_GE(provider().encodes, 300 / 7);
}

TEST_F(Encoded, OneRequestForManyDevicesIsJudgedPerDevice) {
    provider().items_per_request = 50;
    rig.add_devices(400, [](uint32_t i, MemoryStorage::Device& device) {
        if (i % 40 == 0) device.token = "dead-" + std::to_string(i);
    });
    rig.start();
    rig.send(Rig::to_topic("u"));
    ASSERT_TRUE(rig.finished("u"));
    rig.expect_sums("u", 400);
    MemoryQueue::Sums sums = rig.queue.sums("u");
    EXPECT_EQ(sums.outcomes[BELFRY_FINAL_GONE], 10);
    EXPECT_EQ(sums.outcomes[BELFRY_FINAL_ACCEPTED], 390);
    EXPECT_LT(wire.bodies.size(), 40u);
    ASSERT_TRUE(Rig::eventually([&] { return rig.storage.size() == 390; }));
    for (uint32_t i = 0; i < 400; ++i) EXPECT_EQ(rig.storage.has(MemoryStorage::key_of(i)), i % 40 != 0) << i;
}

// What Huawei's push service takes at once.
TEST_F(Encoded, AThousandDevicesShareARequestAndAreJudgedOneByOne) {
    provider().items_per_request = 1'000;
    rig.add_devices(2'500, [](uint32_t i, MemoryStorage::Device& device) {
        if (i % 500 == 0) device.token = "dead-" + std::to_string(i);
    });
    rig.start();
    rig.send(Rig::to_topic("u"));
    ASSERT_TRUE(rig.finished("u"));
    rig.expect_sums("u", 2'500);
    EXPECT_EQ(rig.queue.sums("u").outcomes[BELFRY_FINAL_GONE], 5);
    EXPECT_EQ(rig.queue.sums("u").outcomes[BELFRY_FINAL_ACCEPTED], 2'495);
    const std::vector<std::string> lines = wire.lines();
    EXPECT_EQ(lines.size(), 2'500u);
    EXPECT_EQ(std::set<std::string>(lines.begin(), lines.end()).size(), 2'500u);
    EXPECT_EQ(wire.most_devices(), 1'000u);
    EXPECT_EQ(rig.core->providers()[0].in_flight, 0u);
}

TEST_F(Encoded, ARequestCarriesNoMoreThanASecondOfThePace) {
    provider().items_per_request = 1'000;
    rig.set_rate(0, 6'000);
    rig.start();
    std::vector<std::string> tokens;
    for (int i = 0; i < 1'000; ++i) tokens.push_back("token-" + std::to_string(i));
    rig.send(Rig::to_tokens("u", std::move(tokens)));
    ASSERT_TRUE(rig.finished("u"));
    rig.expect_sums("u", 1'000);
    EXPECT_EQ(wire.most_devices(), 100u);
    const std::vector<std::string> lines = wire.lines();
    EXPECT_EQ(std::set<std::string>(lines.begin(), lines.end()).size(), 1'000u);
}

// A request is what a provider is busy with, however many devices it carries.
TEST_F(Encoded, ALargeRequestWithoutAnAnswerIsLeftBehindLikeASmallOne) {
    provider().items_per_request = 1'000;
    rig.sender.set_script([&](const http::Exchange& exchange) {
        ScriptedReply reply = wire(exchange);
        reply.hold = true;
        return reply;
    });
    rig.add_devices(1'000);
    rig.start();
    rig.send(Rig::to_topic("u"));
    ASSERT_TRUE(Rig::eventually([&] { return rig.core->providers()[0].stragglers == 1; }));
    ASSERT_TRUE(Rig::eventually([&] { return rig.core->providers()[0].pages == 0; }));
    rig.sender.release();
    ASSERT_TRUE(rig.finished("u"));
    rig.expect_sums("u", 1'000);
    EXPECT_EQ(rig.core->providers()[0].stragglers, 0u);
}

TEST_F(Encoded, ARequestThatMayCarryManyMayAsWellCarryOne) {
    provider().items_max = 1'000;  // equal renderings only: here none are equal
    rig.add_devices(1'000);
    rig.start();
    rig.send(Rig::to_topic("u"));
    ASSERT_TRUE(rig.finished("u"));
    rig.expect_sums("u", 1'000);
    EXPECT_EQ(rig.queue.sums("u").outcomes[BELFRY_FINAL_ACCEPTED], 1'000);
    EXPECT_EQ(wire.bodies.size(), 1'000u);
    EXPECT_EQ(rig.core->providers()[0].in_flight, 0u);
}

TEST_F(Encoded, RequestsOfManySizesCoverEveryDeviceOnce) {
    provider().items_max = 1'000;
    provider().items_per_request = 37;  // ends inside blocks and across their borders
    provider().items_per_encode = 450;
    rig.add_devices(1'700, [](uint32_t i, MemoryStorage::Device& device) {
        if (i % 101 == 0) device.token = "refuse-" + std::to_string(i);
    });
    rig.start();
    rig.send(Rig::to_topic("u"));
    ASSERT_TRUE(rig.finished("u"));
    rig.expect_sums("u", 1'700);
    EXPECT_EQ(rig.queue.sums("u").outcomes[BELFRY_FINAL_REFUSED], 17);
    EXPECT_EQ(rig.queue.sums("u").outcomes[BELFRY_FINAL_ACCEPTED], 1'683);
    EXPECT_EQ(wire.lines().size(), 1'683u);
}

// A page gives its memory back while it waits for a straggler, but not what the late answer is to be put to.
TEST_F(Encoded, ALateAnswerFindsItsDevicesInTheBlocksBehind) {
    provider().items_max = 1'000;
    provider().items_per_request = 12;
    rig.sender.set_script([&](const http::Exchange& exchange) {
        ScriptedReply reply = wire(exchange);
        reply.hold = exchange.encoded->body.find("dead-351 ") != std::string_view::npos;
        return reply;
    });
    rig.add_devices(600, [](uint32_t i, MemoryStorage::Device& device) {
        if (i == 351) device.token = "dead-351";  // in the third block
    });
    rig.start();
    rig.send(Rig::to_topic("late"));
    ASSERT_TRUE(Rig::eventually([&] { return rig.queue.sums("late").settled() == 588; }));
    rig.send(Rig::to_topic("next"));  // in the memory that was given back
    ASSERT_TRUE(Rig::eventually([&] { return rig.queue.sums("next").settled() == 588; }));
    rig.sender.release();
    ASSERT_TRUE(rig.finished("late"));
    ASSERT_TRUE(rig.finished("next"));
    rig.expect_sums("late", 600);
    EXPECT_EQ(rig.queue.sums("late").outcomes[BELFRY_FINAL_GONE], 1);
    EXPECT_EQ(rig.queue.sums("late").outcomes[BELFRY_FINAL_ACCEPTED], 599);
    ASSERT_TRUE(Rig::eventually([&] { return rig.storage.size() == 599; }));
    EXPECT_FALSE(rig.storage.has(MemoryStorage::key_of(351)));
}

TEST_F(Encoded, DevicesOfARequestWithoutAnAnswerAreTriedAgain) {
    provider().items_per_request = 1'000;
    std::atomic<int> left{1};
    rig.sender.set_script([&](const http::Exchange& exchange) {
        const ScriptedReply reply = wire(exchange);
        return left-- > 0 ? without_answer(http::Transport::Unknown) : reply;
    });
    rig.add_devices(600);
    rig.start();
    rig.send(Rig::to_topic("u"));
    ASSERT_TRUE(rig.finished("u"));
    rig.expect_sums("u", 600);
    EXPECT_EQ(rig.queue.sums("u").outcomes[BELFRY_FINAL_ACCEPTED], 600);
    EXPECT_EQ(wire.lines().size(), 1'200u);
}

TEST_F(Encoded, WhatEncodeRefusesIsFinalAndItsNeighboursAreSent) {
    provider().items_per_request = 4;
    rig.start();
    rig.send(Rig::to_tokens("u", {"a", "refuse-1", "b", "c", "refuse-2"}));
    ASSERT_TRUE(rig.finished("u"));
    rig.expect_sums("u", 5);
    MemoryQueue::Sums sums = rig.queue.sums("u");
    EXPECT_EQ(sums.outcomes[BELFRY_FINAL_ACCEPTED], 3);
    EXPECT_EQ(sums.outcomes[BELFRY_FINAL_REFUSED], 2);
    ASSERT_FALSE(sums.samples.empty());
    EXPECT_NE(sums.samples[0].find("REFUSED_BY_ENCODE"), std::string::npos);
    rig.send(Rig::to_tokens("all-refused", {"refuse-1", "refuse-2"}));
    ASSERT_TRUE(rig.finished("all-refused"));
    rig.expect_sums("all-refused", 2);
}

TEST_F(Encoded, AnEncodeThatBreaksItsContractEndsAsInternal) {
    rig.start();
    rig.send(Rig::to_tokens("u", {"a", "break-1", "b"}));
    ASSERT_TRUE(rig.finished("u"));
    rig.expect_sums("u", 3);
    EXPECT_EQ(rig.queue.sums("u").outcomes[BELFRY_FINAL_INTERNAL], 3);
    EXPECT_TRUE(wire.bodies.empty());
}

TEST_F(Encoded, AnOriginOfItsOwnGetsAnEndpointOfItsOwn) {
    rig.start();
    rig.send(Rig::to_tokens("u", {"a@one", "b@three", "c@one", "d", "e@nowhere"}));
    ASSERT_TRUE(rig.finished("u"));
    rig.expect_sums("u", 5);
    EXPECT_EQ(wire.endpoints, (std::vector<http::EndpointId>{103, 105, 103, 7}));
    EXPECT_EQ(rig.queue.sums("u").outcomes[BELFRY_FINAL_REFUSED], 1);
}

TEST_F(Encoded, RetriesAreEncodedAgainWithTheSameIdAndTheNextAttempt) {
    std::atomic<int> left{1};
    rig.sender.set_script([&](const http::Exchange& exchange) {
        const ScriptedReply reply = wire(exchange);
        return left-- > 0 ? answer(BELFRY_RETRY) : reply;
    });
    rig.add_devices(1);
    rig.start();
    rig.send(Rig::to_topic("u"));
    ASSERT_TRUE(rig.finished("u"));
    const std::vector<std::string> lines = wire.lines();
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[0].rfind("token-0  1 ", 0), 0u) << lines[0];
    EXPECT_EQ(lines[1].rfind("token-0  2 ", 0), 0u) << lines[1];
    EXPECT_EQ(lines[0].substr(lines[0].rfind(' ')), lines[1].substr(lines[1].rfind(' ')));
}

TEST_F(Encoded, AnUnreachableOriginCostsAttemptsSoThatItsDeliveriesEnd) {
    rig.sender.set_script([](const http::Exchange&) { return without_answer(http::Transport::NeverSent); });
    rig.sender.connects_ = false;
    rig.options.attempts.attempts_max = 2;
    rig.start();
    rig.send(Rig::to_tokens("u", {"a@gone"}));
    ASSERT_TRUE(rig.finished("u"));
    rig.expect_sums("u", 1);
    EXPECT_EQ(rig.queue.sums("u").outcomes[BELFRY_FINAL_DEAD], 1);
    EXPECT_EQ(rig.core->providers()[0].state, GateState::Open);
}

class OfManyOrigins : public Encoded {
protected:
    static constexpr http::EndpointId kOne = 103, kThree = 105;  // of "one" and "three", see ScriptedSender::origin
    void SetUp() override {
        Encoded::SetUp();
        rig.add_devices(
            400, [](uint32_t i, MemoryStorage::Device& device) { device.token += i % 2 == 0 ? "@one" : "@three"; });
    }
    size_t requests_to(http::EndpointId endpoint) {
        size_t n = 0;
        for (const std::string& token : rig.sender.sent()) n += token.ends_with("@one") == (endpoint == kOne);
        return n;
    }
    int64_t accepted_n() { return rig.queue.sums("u").outcomes[BELFRY_FINAL_ACCEPTED]; }
};

TEST_F(OfManyOrigins, AThrottledOneWaitsAndTheOthersGoOn) {
    std::atomic<int> first{1};
    rig.sender.set_script([&](const http::Exchange& exchange) {
        if (exchange.endpoint == kOne && first-- > 0) return answer(BELFRY_THROTTLED, BELFRY_SCOPE_ORIGIN, 0, 60'000);
        return accepted(exchange);
    });
    rig.options.page_rows = 50;
    rig.start();
    rig.send(Rig::to_topic("u"));
    ASSERT_TRUE(Rig::eventually([&] { return accepted_n() >= 200; }));
    const ProviderStatus status = rig.core->providers()[0];
    EXPECT_EQ(status.state, GateState::Open);
    EXPECT_FALSE(status.operator_must_act);
    ASSERT_EQ(status.origins.size(), 1u);
    EXPECT_EQ(status.origins[0].state, GateState::Throttled);
    EXPECT_GT(rig.queue.sums("u").live_items, 0) << "its deliveries wait";
    EXPECT_EQ(rig.queue.sums("u").settled(), accepted_n());
}

TEST_F(OfManyOrigins, OneThatRefusesUsIsAlarmedAndLosesNothing) {
    rig.sender.set_script([&](const http::Exchange& exchange) {
        return exchange.endpoint == kOne ? answer(BELFRY_AUTH_REFUSED, BELFRY_SCOPE_ORIGIN) : accepted(exchange);
    });
    rig.options.page_rows = 50;
    rig.start();
    rig.send(Rig::to_topic("u"));
    ASSERT_TRUE(Rig::eventually([&] { return accepted_n() == 200; }));
    const ProviderStatus status = rig.core->providers()[0];
    EXPECT_EQ(status.state, GateState::Open);
    EXPECT_TRUE(status.operator_must_act);
    ASSERT_EQ(status.origins.size(), 1u);
    EXPECT_EQ(status.origins[0].url, "one");
    EXPECT_EQ(status.origins[0].state, GateState::Refused);
    EXPECT_GT(rig.queue.sums("u").live_items, 0) << "its deliveries wait";
    EXPECT_EQ(rig.queue.sums("u").settled(), 200);
    EXPECT_LT(requests_to(kOne), 200u) << "it is not asked again during its pause";
    EXPECT_EQ(rig.storage.size(), 400u);
}

TEST_F(OfManyOrigins, WhatOneRefusedIsSentAtOnceAfterAReload) {
    std::atomic<bool> mended{false};
    rig.sender.set_script([&](const http::Exchange& exchange) {
        const bool refused = exchange.endpoint == kOne && !mended;
        return refused ? answer(BELFRY_AUTH_REFUSED, BELFRY_SCOPE_ORIGIN) : accepted(exchange);
    });
    rig.options.page_rows = 50;
    rig.start();
    rig.send(Rig::to_topic("u"));
    ASSERT_TRUE(Rig::eventually([&] { return accepted_n() == 200; }));
    const size_t asked = requests_to(kOne);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    EXPECT_EQ(requests_to(kOne), asked) << "it is left alone, and what waits for it stirs nothing";
    mended = true;
    ASSERT_TRUE(rig.switch_on());
    ASSERT_TRUE(rig.finished("u")) << "its pause was a minute";
    rig.expect_sums("u", 400);
    EXPECT_EQ(accepted_n(), 400);
}

TEST_F(OfManyOrigins, OnesSuspectsAreNotBelievedByTheOthersSuccess) {
    rig.sender.set_script([&](const http::Exchange& exchange) {
        return exchange.endpoint == kOne ? answer(BELFRY_DEVICE_GONE, BELFRY_SCOPE_ITEM, BELFRY_VERDICT_SUSPECT)
                                         : accepted(exchange);
    });
    rig.start();
    rig.send(Rig::to_topic("u"));
    ASSERT_TRUE(rig.finished("u"));
    rig.expect_sums("u", 400);
    EXPECT_EQ(rig.queue.sums("u").outcomes[BELFRY_FINAL_GONE], 200);
    EXPECT_TRUE(rig.core->providers()[0].deletions_stopped);
    rig.core->stop();  // the settler has done what it would
    EXPECT_EQ(rig.storage.size(), 400u);
}

TEST_F(OfManyOrigins, OneThatIsGoneWhileItUsedToWorkCostsNoAttempts) {
    rig.options.attempts.attempts_max = 1;
    std::atomic<bool> down{false};
    rig.sender.set_script([&](const http::Exchange& exchange) {
        return down && exchange.endpoint == kOne ? without_answer(http::Transport::NeverSent) : accepted(exchange);
    });
    rig.start();
    rig.send(Rig::to_topic("before"));
    ASSERT_TRUE(rig.finished("before"));
    down = true;
    rig.sender.connects_ = false;
    rig.send(Rig::to_topic("u"));
    ASSERT_TRUE(Rig::eventually([&] { return accepted_n() == 200; }));
    ASSERT_TRUE(Rig::eventually([&] { return !rig.core->providers()[0].origins.empty(); }));
    EXPECT_EQ(rig.core->providers()[0].origins[0].state, GateState::Unreachable);
    EXPECT_EQ(rig.queue.sums("u").settled(), 200);
    EXPECT_GT(rig.queue.sums("u").live_items, 0) << "its deliveries wait";
}

}  // namespace
}  // namespace belfry::delivery
