// SPDX-License-Identifier: Apache-2.0
// The pipeline when things go wrong: providers throttle, refuse and vanish, pushes are stopped.
#include <atomic>
#include <future>
#include <mutex>
#include <random>
#include <set>

#include "audience/hashes.h"
#include "delivery/core_rig.h"

namespace belfry::delivery {
namespace {

using http::Transport;

ProviderStatus only_provider(Rig& rig) {
    return rig.core->providers().front();
}

TEST(CoreTrouble, NothingIsSentWhileAnInstanceIsThrottled) {
    std::atomic<int> sent{0};
    std::atomic<bool> throttled{false};
    Rig rig([&](const http::Exchange&) {
        ++sent;
        return throttled.exchange(true) ? answer(BELFRY_ACCEPTED)
                                        : answer(BELFRY_THROTTLED, BELFRY_SCOPE_INSTANCE, 0, 300);
    });
    rig.start();
    const std::string first = rig.send(Rig::to_tokens("first", {"a"}));
    ASSERT_TRUE(Rig::eventually([&] { return only_provider(rig).state == GateState::Throttled; }));
    const auto closed_at = std::chrono::steady_clock::now();
    const std::string second = rig.send(Rig::to_tokens("second", {"b"}));
    ASSERT_TRUE(rig.finished(first) && rig.finished(second));
    EXPECT_GE(std::chrono::steady_clock::now() - closed_at, std::chrono::milliseconds(250));
    EXPECT_EQ(sent.load(), 3);
    rig.expect_sums(first, 1);
    rig.expect_sums(second, 1);
    EXPECT_EQ(rig.queue.sums(first).outcomes[BELFRY_FINAL_ACCEPTED], 1);
}

TEST(CoreTrouble, ARefusedInstanceKeepsItsQueueAndDeletesNothing) {
    Rig rig([](const http::Exchange&) { return answer(BELFRY_AUTH_REFUSED, BELFRY_SCOPE_INSTANCE); });
    rig.add_devices(500);
    rig.start();
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(Rig::eventually([&] { return only_provider(rig).state == GateState::Refused; }));
    EXPECT_TRUE(only_provider(rig).operator_must_act);
    EXPECT_EQ(only_provider(rig).reason, "REASON");
    ASSERT_TRUE(Rig::eventually([&] { return rig.sender.pending() == 0; }));
    const size_t sent = rig.sender.sent().size();
    rig.sender.set_script(accepted);
    EXPECT_EQ(rig.queue.sums(uid).settled(), 0);
    EXPECT_EQ(rig.storage.size(), 500u);
    EXPECT_EQ(rig.sender.sent().size(), sent);
    // The operator repairs the credential: a new generation lifts the pause.
    fakes::ScriptedProvider repaired;
    plugins::Faults faults("fake");
    plugins::Provider adapter(repaired.table(), repaired.instance(), faults);
    ASSERT_TRUE(rig.core->switch_provider("fake", adapter, nullptr, 0));
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 500);
    EXPECT_EQ(rig.queue.sums(uid).outcomes[BELFRY_FINAL_ACCEPTED], 500);
    rig.core->stop();
}

TEST(CoreTrouble, OneRefusalAmongAcceptancesStopsNobodyAndIsTriedAgain) {
    std::atomic<int> odd{0};
    Rig rig([&](const http::Exchange& exchange) {
        const bool refused = exchange.token == "token-7" && odd++ == 0;
        return refused ? answer(BELFRY_MISCONFIGURED, BELFRY_SCOPE_INSTANCE) : answer(BELFRY_ACCEPTED);
    });
    rig.add_devices(500);
    rig.start();
    const std::string warm = rig.send(Rig::to_tokens("warm", {"a"}));
    ASSERT_TRUE(rig.finished(warm));
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 500);
    EXPECT_EQ(rig.queue.sums(uid).outcomes[BELFRY_FINAL_ACCEPTED], 500);
    EXPECT_EQ(odd.load(), 2);
    EXPECT_EQ(only_provider(rig).state, GateState::Open);
    EXPECT_EQ(rig.log.count("provider refuses our credential or settings; deliveries wait, an operator must act"), 0u);
}

TEST(CoreTrouble, ARefusedPlatformIsSaidOnceAndWaitsAloneUntilItWorks) {
    std::atomic<bool> broken{true};
    Rig rig([&](const http::Exchange& exchange) {
        const bool ios = exchange.token.starts_with("ios-");
        return ios && broken ? answer(BELFRY_AUTH_REFUSED, BELFRY_SCOPE_PLATFORM, 0, 50) : answer(BELFRY_ACCEPTED);
    });
    rig.add_devices(40, [](uint32_t i, MemoryStorage::Device& device) {
        device.platform = i % 2 == 0 ? "ios" : "android";
        device.token = device.platform + "-" + std::to_string(i);
    });
    rig.start();
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(Rig::eventually([&] { return rig.queue.sums(uid).outcomes[BELFRY_FINAL_ACCEPTED] == 20; }));
    ASSERT_TRUE(Rig::eventually([&] { return only_provider(rig).platforms.size() == 1; }));
    const ProviderStatus refused = only_provider(rig);
    EXPECT_EQ(refused.state, GateState::Open);
    EXPECT_TRUE(refused.operator_must_act);
    EXPECT_EQ(refused.platforms[0].name, "ios");
    EXPECT_EQ(refused.platforms[0].reason, "REASON");
    broken = false;
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 40);
    EXPECT_EQ(rig.queue.sums(uid).outcomes[BELFRY_FINAL_ACCEPTED], 40) << "none was given up";
    EXPECT_TRUE(only_provider(rig).platforms.empty());
    EXPECT_FALSE(only_provider(rig).operator_must_act);
    EXPECT_EQ(rig.log.count("platform refuses our credential or settings; its deliveries wait, an operator must act"),
              1u);
}

TEST(CoreTrouble, OnlyWhatTheProviderSaysOfItselfNarrowsTheWindow) {
    struct Case {
        int status;
        int32_t scope;
        bool narrows;
    };
    for (const Case& each : {Case{429, BELFRY_SCOPE_ITEM, false}, Case{429, BELFRY_SCOPE_INSTANCE, true},
                             Case{503, BELFRY_SCOPE_ITEM, true}}) {
        std::atomic<int> asked{0};
        Rig rig([&](const http::Exchange&) {
            if (asked++ != 1) return answer(BELFRY_ACCEPTED);
            ScriptedReply reply = answer(BELFRY_RETRY, each.scope, 0, 1);
            reply.status = each.status;
            return reply;
        });
        rig.start();
        ASSERT_TRUE(rig.finished(rig.send(Rig::to_tokens("warm", {"a"}))));
        const uint32_t whole = only_provider(rig).window;
        ASSERT_TRUE(rig.finished(rig.send(Rig::to_tokens("hot", {"a"}))));
        EXPECT_EQ(only_provider(rig).window < whole, each.narrows) << each.status << " " << each.scope;
    }
}

TEST(CoreTrouble, WorkForAnInstanceThatIsNotStartedWaitsForIt) {
    Rig rig([](const http::Exchange&) { return without_answer(Transport::NeverSent); });
    rig.add_devices(50);
    rig.start();
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(Rig::eventually([&] { return rig.queue.page_calls() > 0; }));
    rig.core->stop();
    rig.restart(accepted, false);
    EXPECT_EQ(only_provider(rig).state, GateState::NotStarted);
    EXPECT_EQ(rig.core->accept(Rig::to_tokens("push-2", {"a"})).error().code, ErrorCode::Unavailable);
    EXPECT_GT(rig.queue.sums(uid).live_items, 0u);
    ASSERT_TRUE(rig.switch_on());
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 50);
}

TEST(CoreTrouble, AnExpiredCredentialIsRenewedOnceForAHundredFailures) {
    Rig rig([](const http::Exchange& exchange) {
        const auto credential = exchange.plan->credential->get();
        return credential->generation == 1
                   ? answer(BELFRY_RETRY, BELFRY_SCOPE_INSTANCE, BELFRY_VERDICT_RESEND | BELFRY_VERDICT_REAUTH)
                   : answer(BELFRY_ACCEPTED);
    });
    rig.providers[0]->uses_credential = true;
    rig.add_devices(300);
    rig.start();
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 300);
    EXPECT_EQ(rig.queue.sums(uid).outcomes[BELFRY_FINAL_ACCEPTED], 300);
    EXPECT_EQ(rig.providers[0]->authorized.load(), 2);
}

TEST(CoreTrouble, WorkWaitsUntilACredentialCanBeHad) {
    Rig rig;
    std::atomic<bool> works{false};
    rig.providers[0]->uses_credential = true;
    rig.providers[0]->authorizing = [&](int, belfry_why* why) {
        return works ? belfry_code{BELFRY_OK} : because(why, BELFRY_RETRY_LATER, {}, "the token service is down");
    };
    rig.start();
    const std::string uid = rig.send(Rig::to_tokens("push-1", {"a"}));
    // Without a credential it starts; the reason comes with the first attempt to get one.
    ASSERT_TRUE(Rig::eventually([&] { return only_provider(rig).reason == "the token service is down"; }));
    EXPECT_EQ(only_provider(rig).state, GateState::NoCredential);
    EXPECT_TRUE(rig.sender.sent().empty());
    works = true;
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 1);
}

TEST(CoreTrouble, AStopSaysNothingOfACredentialThatItCutOff) {
    Rig rig;
    std::promise<void> engine_ends;
    const std::shared_future<void> ended = engine_ends.get_future();
    rig.providers[0]->uses_credential = true;
    rig.providers[0]->authorizing = [ended](int, belfry_why* why) {
        ended.wait();
        return because(why, BELFRY_RETRY_LATER, {}, "the engine has ended");
    };
    rig.sender.stopping = [&] { engine_ends.set_value(); };
    rig.start();
    ASSERT_TRUE(Rig::eventually([&] { return rig.providers[0]->authorized > 0; }));
    rig.core->stop();
    EXPECT_EQ(rig.providers[0]->authorized, 1);
    EXPECT_EQ(rig.log.count("credential not renewed"), 0u);
}

TEST(CoreTrouble, AnUnreachableProviderCostsNoAttemptAndBlocksNobodyElse) {
    std::atomic<bool> reachable{false};
    Rig rig(
        [&](const http::Exchange& exchange) {
            const bool other = exchange.payload.find("other") != std::string_view::npos;
            return reachable || other ? answer(BELFRY_ACCEPTED) : without_answer(Transport::NeverSent);
        },
        {"fake", "other"});
    rig.sender.connects_ = false;
    rig.add_devices(400);
    rig.start();
    const std::string stuck = rig.send(Rig::to_topic("stuck"));
    ASSERT_TRUE(Rig::eventually([&] { return only_provider(rig).state == GateState::Unreachable; }));
    EXPECT_EQ(only_provider(rig).reason, "connection refused");
    PushRequest request = Rig::to_tokens("other", {"a", "b"});
    request.recipient.tokens->provider = "other";
    request.payloads = {{"other", "{\"to\":\"other\"}"}};
    const std::string free = rig.send(std::move(request));
    ASSERT_TRUE(rig.finished(free));
    EXPECT_EQ(rig.queue.sums(stuck).settled(), 0);
    reachable = true;
    ASSERT_TRUE(rig.finished(stuck));
    rig.expect_sums(stuck, 400);
    EXPECT_EQ(rig.queue.sums(stuck).outcomes[BELFRY_FINAL_ACCEPTED], 400);
    EXPECT_TRUE(rig.queue.sums(stuck).samples.empty());
}

TEST(CoreTrouble, AnAcceptanceThatTeachesOpensTheGateLikeAnyOther) {
    std::atomic<bool> reachable{false};
    Rig rig([&](const http::Exchange&) {
        return reachable ? answer(BELFRY_ACCEPTED, BELFRY_SCOPE_ITEM, BELFRY_VERDICT_LEARN_VARIANT)
                         : without_answer(Transport::NeverSent);
    });
    rig.sender.connects_ = false;
    rig.add_devices(50);
    rig.start();
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(Rig::eventually([&] { return only_provider(rig).state == GateState::Unreachable; }));
    reachable = true;
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 50);
    EXPECT_EQ(only_provider(rig).state, GateState::Open);
    EXPECT_FALSE(only_provider(rig).probing);
}

TEST(CoreTrouble, AProviderThatFailsEverybodyIsWaitedForBeyondTheAttempts) {
    std::atomic<bool> works{false};
    std::atomic<int> failed{0};
    Rig rig([&](const http::Exchange&) {
        if (works) return answer(BELFRY_ACCEPTED);
        ++failed;
        ScriptedReply reply = answer(BELFRY_RETRY);
        reply.status = 503;
        return reply;
    });
    rig.options.attempts.attempts_max = 2;
    rig.add_devices(50);
    rig.start();
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(Rig::eventually([&] { return only_provider(rig).state == GateState::Failing; }));
    EXPECT_EQ(only_provider(rig).reason, "REASON");
    // Probes of at most a handful: three of them, of the deliveries whose last attempt it would be.
    ASSERT_TRUE(Rig::eventually([&] { return failed > 50 + 2 * static_cast<int>(kProbePage); }));
    EXPECT_EQ(rig.queue.sums(uid).settled(), 0);
    works = true;
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 50);
    EXPECT_EQ(rig.queue.sums(uid).outcomes[BELFRY_FINAL_ACCEPTED], 50);
}

TEST(CoreTrouble, WhatThePaceHoldsUpDoesNotCloseTheGate) {
    std::atomic<int> asked{0};
    Rig rig([&](const http::Exchange&) {
        return ++asked <= 40 ? without_answer(Transport::NeverSent) : answer(BELFRY_ACCEPTED);
    });
    rig.add_devices(20);
    rig.start();
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(Rig::eventually([&] { return asked > 20; }));
    EXPECT_EQ(only_provider(rig).state, GateState::Open);
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 20);
}

TEST(CoreTrouble, AProviderThatNeverAnswersLeavesSlotsForOthers) {
    Rig rig(
        [](const http::Exchange& exchange) {
            ScriptedReply reply;
            reply.hold = exchange.payload.find("silent") != std::string_view::npos;
            return reply;
        },
        {"fake", "other"});
    rig.options.page_slots = 8;
    rig.options.straggler_pages_max = 2;
    rig.start();
    const auto small = [&](const std::string& provider, int i) {
        PushRequest request = Rig::to_tokens(provider + std::to_string(i), {provider + std::to_string(i)});
        request.recipient.tokens->provider = provider;
        request.payloads = {{provider, provider == "fake" ? "{\"silent\":1}" : "{}"}};
        request.lane = Lane::Normal;
        return rig.send(std::move(request));
    };
    for (int i = 0; i < 20; ++i) small("fake", i);
    ASSERT_TRUE(Rig::eventually([&] { return rig.sender.pending() >= 4; }));
    std::vector<std::string> others;
    for (int i = 0; i < 20; ++i) others.push_back(small("other", i));
    for (const std::string& uid : others) ASSERT_TRUE(rig.finished(uid));
    rig.sender.set_script(accepted);
    rig.sender.release();
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(rig.finished("fake" + std::to_string(i)));
}

TEST(CoreTrouble, RowsOfAClosedProviderWaitBehindItsGateWhileOthersGoOn) {
    Rig rig([](const http::Exchange&) { return answer(BELFRY_ACCEPTED); }, {"fake", "other"});
    std::atomic<bool> works{false};
    rig.providers[1]->uses_credential = true;
    rig.providers[1]->authorizing = [&](int, belfry_why* why) {
        return works ? belfry_code{BELFRY_OK} : because(why, BELFRY_RETRY_LATER, {}, "down");
    };
    rig.add_devices(1'000, [](uint32_t i, MemoryStorage::Device& device) {
        if (i % 2 == 0) device.provider = "other";
    });
    rig.start();
    ASSERT_TRUE(Rig::eventually([&] { return rig.core->providers()[1].state == GateState::NoCredential; }));
    PushRequest request = Rig::to_topic("push-1");
    request.payloads["other"] = "{}";
    const std::string uid = rig.send(std::move(request));
    ASSERT_TRUE(Rig::eventually([&] { return rig.queue.sums(uid).settled() == 500; }));
    works = true;
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 1'000);
}

TEST(CoreTrouble, ASliceOfOneClosedProviderIsPutBehindItsGateWithoutLists) {
    Rig rig([](const http::Exchange&) { return answer(BELFRY_ACCEPTED); }, {"fake", "other"});
    std::atomic<bool> works{false};
    rig.providers[0]->uses_credential = true;
    rig.providers[0]->authorizing = [&](int, belfry_why* why) {
        return works ? belfry_code{BELFRY_OK} : because(why, BELFRY_RETRY_LATER, {}, "down");
    };
    rig.add_devices(3'000);
    rig.start();
    ASSERT_TRUE(Rig::eventually([&] { return only_provider(rig).state == GateState::NoCredential; }));
    PushRequest request = Rig::to_topic("push-1");
    request.payloads["other"] = "{}";
    const std::string uid = rig.send(std::move(request));
    // Cut at the slot's border, then moved behind the gate: the empty slots above end, one slice waits.
    ASSERT_TRUE(Rig::eventually([&] { return rig.queue.page_calls() >= 3 && rig.queue.sums(uid).live_items == 1; }));
    EXPECT_TRUE(rig.queue.lists().empty());
    works = true;
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 3'000);
}

TEST(CoreTrouble, ThePushIsStoppedForAProviderThatRefusesItAsAWhole) {
    Rig rig([](const http::Exchange&) { return answer(BELFRY_REFUSED, BELFRY_SCOPE_PUSH); });
    rig.add_devices(5'000);
    rig.start();
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 5'000);
    EXPECT_EQ(rig.queue.sums(uid).outcomes[BELFRY_FINAL_REFUSED], 5'000);
    EXPECT_LE(rig.sender.sent().size(), 1'000u);  // the first page; the others were not tried
    EXPECT_EQ(rig.storage.size(), 5'000u);
}

TEST(CoreTrouble, ResendsGoOutAsTheOtherVariantAndWhatIsLearntIsKept) {
    std::mutex mutex;
    std::vector<const http::Plan*> plans;
    Rig rig([&](const http::Exchange& exchange) {
        const std::lock_guard lock(mutex);
        plans.push_back(exchange.plan);
        const bool first = plans.size() == 1;
        ScriptedReply reply = first ? answer(BELFRY_DEVICE_GONE, BELFRY_SCOPE_ITEM, BELFRY_VERDICT_RESEND)
                                    : answer(BELFRY_ACCEPTED, BELFRY_SCOPE_ITEM, BELFRY_VERDICT_LEARN_VARIANT);
        reply.variant = 1;
        return reply;
    });
    rig.add_devices(1);
    rig.start();
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 1);
    ASSERT_EQ(plans.size(), 2u);
    EXPECT_NE(plans[0], plans[1]);
    EXPECT_EQ(rig.queue.sums(uid).outcomes[BELFRY_FINAL_ACCEPTED], 1);
    EXPECT_TRUE(Rig::eventually([&] { return rig.storage.variant_of(MemoryStorage::key_of(0)) == 1; }));
}

TEST(CoreTrouble, TheBreakerKeepsDevicesWhileEverythingLooksDead) {
    Rig rig(
        [](const http::Exchange&) { return answer(BELFRY_DEVICE_GONE, BELFRY_SCOPE_ITEM, BELFRY_VERDICT_SUSPECT); });
    rig.add_devices(1'000);
    rig.start();
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 1'000);
    EXPECT_EQ(rig.storage.size(), 1'000u);
    EXPECT_TRUE(only_provider(rig).deletions_stopped);
    EXPECT_TRUE(only_provider(rig).operator_must_act);
}

TEST(CoreTrouble, PagesDoNotWaitForTheRemovalOfDeadTokens) {
    Rig rig([](const http::Exchange& exchange) {
        return exchange.token == "token-1" ? answer(BELFRY_DEVICE_GONE) : answer(BELFRY_ACCEPTED);
    });
    rig.storage.removing_hangs = true;
    rig.add_devices(10);
    rig.start();
    for (const char* uid : {"first", "second"}) {
        ASSERT_TRUE(rig.finished(rig.send(Rig::to_topic(uid))));
        rig.expect_sums(uid, 10);
    }
    EXPECT_EQ(rig.storage.size(), 10u);
    rig.storage.removing_hangs = false;
    EXPECT_TRUE(Rig::eventually([&] { return rig.storage.size() == 9; }));
}

TEST(CoreTrouble, ADeadRawTokenRemovesItsRegisteredTwinByIdentity) {
    Rig rig([](const http::Exchange&) { return answer(BELFRY_DEVICE_GONE); });
    rig.start();
    const std::string uid = rig.send(Rig::to_tokens("push-1", {"dead"}));
    ASSERT_TRUE(rig.finished(uid));
    ASSERT_TRUE(Rig::eventually([&] { return rig.storage.invalidated().size() == 1; }));
    const belfry_fact fact = rig.storage.invalidated()[0];
    EXPECT_EQ(fact.key, -1);
    const audience::Hash16 identity = audience::identity_hash("fake", "dead");
    EXPECT_TRUE(std::equal(identity.begin(), identity.end(), fact.identity_hash));
}

TEST(CoreTrouble, CancelStopsWhatIsNotYetHandedOver) {
    Rig rig([](const http::Exchange& exchange) {
        ScriptedReply reply;
        if (exchange.token == "token-0") return reply;
        reply.transport = Transport::NeverSent;  // waits unsent in the engine
        reply.hold = true;
        return reply;
    });
    rig.add_devices(100);
    rig.start();
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(Rig::eventually([&] { return rig.sender.pending() == 99; }));
    const Result<CancelResult> cancelled = rig.core->cancel("default", uid);
    ASSERT_TRUE(cancelled);
    EXPECT_EQ(*cancelled, CancelResult::Cancelled);
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 100);
    EXPECT_EQ(rig.queue.sums(uid).outcomes[BELFRY_FINAL_ACCEPTED], 1);
    EXPECT_EQ(rig.queue.sums(uid).outcomes[BELFRY_FINAL_CANCELLED], 99);
    EXPECT_EQ(*rig.core->cancel("default", uid), CancelResult::Cancelled);
    EXPECT_EQ(*rig.core->cancel("default", "nobody"), CancelResult::Unknown);
    EXPECT_EQ(rig.core->status("default", uid)->state, "cancelled");
}

TEST(CoreTrouble, APausedPushWaitsAndGoesOnAfterResume) {
    Rig rig([](const http::Exchange&) {
        ScriptedReply reply;
        reply.transport = Transport::NeverSent;
        reply.hold = true;
        return reply;
    });
    rig.add_devices(300);
    rig.start();
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(Rig::eventually([&] { return rig.sender.pending() > 0; }));
    ASSERT_EQ(*rig.core->pause("default", uid), SteerResult::Done);
    ASSERT_TRUE(Rig::eventually([&] { return rig.sender.pending() == 0 && rig.queue.sums(uid).live_items == 1; }));
    EXPECT_EQ(rig.queue.sums(uid).planned, 0);  // the cursor went back before what was not sent
    EXPECT_EQ(only_provider(rig).state, GateState::Open);
    rig.sender.set_script(accepted);
    ASSERT_EQ(*rig.core->resume("default", uid), SteerResult::Done);
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 300);
}

TEST(CoreTrouble, AnExpiredPushIsNotAttempted) {
    Rig rig;
    rig.start();
    PushRequest request = Rig::to_tokens("push-1", {"a", "b", "c"});
    request.expires_unix_ms = rig.clock.unix_ms() - 1;
    const std::string uid = rig.send(std::move(request));
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 3);
    EXPECT_EQ(rig.queue.sums(uid).outcomes[BELFRY_FINAL_EXPIRED], 3);
    EXPECT_TRUE(rig.sender.sent().empty());
}

TEST(CoreTrouble, DryRunsEndAsAcceptedWithoutARequest) {
    Rig rig;
    rig.add_devices(20);
    rig.start();
    PushRequest request = Rig::to_topic("push-1");
    request.dry_run = DryRun::Host;
    const std::string uid = rig.send(std::move(request));
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 20);
    EXPECT_TRUE(rig.sender.sent().empty());
}

}  // namespace
}  // namespace belfry::delivery
