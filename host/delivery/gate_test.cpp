// SPDX-License-Identifier: Apache-2.0
#include "delivery/gate.h"

#include <gtest/gtest.h>

#include "delivery/gates.h"
#include "fakes/facades.h"
#include "fakes/memory_storage.h"

namespace belfry::delivery {
namespace {

class NoSender final : public Sender {
public:
    void submit(http::Portion&) override {}
    void recall(http::Portion&) override {}
    uint32_t credit(http::EndpointId) const override { return streams; }
    void retire(http::EndpointId) override { ++retired; }
    std::string last_connect_error(http::EndpointId) const override { return connect_error; }
    Result<http::EndpointId> origin(http::EndpointId like, std::string_view) override { return like; }
    uint32_t connections(http::EndpointId) const override { return 3; }
    void stop(int64_t) override {}
    uint32_t streams = 100;
    int retired = 0;
    std::string connect_error;
};

class GateTest : public testing::Test {
protected:
    std::unique_ptr<Gate> make(uint64_t per_minute = 0, std::string name = "fake", uint32_t number = 1) {
        auto gate = std::make_unique<Gate>(std::move(name), number, per_minute, sender, clock, log, metrics);
        gate->switch_to(generation);
        gate->uses(7);
        return gate;
    }
    ManualClock clock;
    fakes::QuietLog log;
    fakes::MemoryMetrics metrics;
    NoSender sender;
    std::shared_ptr<Generation> generation = std::make_shared<Generation>();
};

TEST_F(GateTest, AThrottleClosesItAndAHandfulProbesBeforeItOpens) {
    const auto gate = make();
    EXPECT_FALSE(gate->closed());
    gate->note_throttled(30'000);
    EXPECT_TRUE(gate->closed());
    EXPECT_EQ(gate->room(true), 0u);
    EXPECT_EQ(gate->status().state, GateState::Throttled);
    EXPECT_EQ(gate->status().closed_ms, 30'000);
    EXPECT_TRUE(gate->pacer().paused(clock.mono_ns()));
    gate->note_success();  // an answer of before
    EXPECT_TRUE(gate->closed());
    clock.advance(std::chrono::seconds(31));
    EXPECT_FALSE(gate->closed());
    EXPECT_EQ(gate->page_rows(false, 1'000), kProbePage);
    gate->took(kProbePage);
    EXPECT_EQ(gate->room(false), 0u);
    gate->note_success();
    EXPECT_EQ(gate->status().state, GateState::Open);
    EXPECT_GT(gate->room(false), 1'000u);
}

TEST_F(GateTest, RefusalsOfOneBurstAreOneFailureAndLaterOnesWaitLonger) {
    const auto gate = make();
    for (int i = 0; i < 400; ++i) gate->note_refused(*generation, "key revoked");
    EXPECT_EQ(gate->status().closed_ms, 60'000);
    EXPECT_EQ(gate->status().reason, "key revoked");
    EXPECT_TRUE(gate->status().operator_must_act);
    clock.advance(std::chrono::seconds(61));
    gate->note_refused(*generation, "key revoked");
    EXPECT_EQ(gate->status().closed_ms, 120'000);
    gate->switch_to(std::make_shared<Generation>());
    EXPECT_FALSE(gate->closed());
    gate->note_refused(*generation, "by the old one");
    EXPECT_FALSE(gate->closed());
}

TEST_F(GateTest, AFewRefusalsBesideSuccessesAreTheirDeliveriesOwn) {
    const auto gate = make();
    gate->note_accepted(*generation);
    for (uint32_t i = 0; i < kOwnRefusalsMax; ++i) EXPECT_FALSE(gate->note_refused(*generation, "odd")) << i;
    EXPECT_FALSE(gate->closed());
    EXPECT_FALSE(gate->status().operator_must_act);
    gate->note_accepted(*generation);
    EXPECT_FALSE(gate->note_refused(*generation, "odd")) << "counted anew";
    clock.advance(std::chrono::seconds(6));
    EXPECT_TRUE(gate->note_refused(*generation, "key revoked")) << "nothing is accepted any more";
    EXPECT_TRUE(gate->closed());
}

TEST_F(GateTest, ARefusedCredentialClosesItSoonAfterASuccess) {
    const auto gate = make();
    gate->note_accepted(*generation);
    for (uint32_t i = 0; i < kOwnRefusalsMax; ++i) gate->note_refused(*generation, "key revoked");
    EXPECT_TRUE(gate->note_refused(*generation, "key revoked"));
    EXPECT_TRUE(gate->closed());
    gate->note_accepted(*generation);  // answered before the key was
    EXPECT_TRUE(gate->closed());
    EXPECT_EQ(gate->status().reason, "key revoked");
    gate->switch_to(std::make_shared<Generation>());
    EXPECT_TRUE(gate->note_refused(*gate->generation(), "still")) << "what the old one accepted says nothing";
}

TEST_F(GateTest, ASuccessOpensWhatAFewRefusalsClosedBeforeIt) {  // exceptions of a page are heard first
    const auto gate = make();
    EXPECT_TRUE(gate->note_refused(*generation, "odd"));
    EXPECT_TRUE(gate->closed());
    gate->note_accepted(Generation{});
    EXPECT_TRUE(gate->closed()) << "another one's";
    gate->note_accepted(*generation);
    EXPECT_FALSE(gate->closed());
    EXPECT_FALSE(gate->pacer().paused(clock.mono_ns()));
    EXPECT_EQ(gate->status().state, GateState::Open);
    EXPECT_EQ(gate->page_rows(false, 1'000), 1'000u);
}

TEST_F(GateTest, OneRefusalAmongTheProbesDoesNotCloseItForLonger) {
    const auto gate = make();
    for (int i = 0; i < 100; ++i) gate->note_refused(*generation, "key revoked");
    clock.advance(std::chrono::seconds(61));
    EXPECT_TRUE(gate->note_refused(*generation, "odd"));
    gate->note_accepted(*generation);
    EXPECT_FALSE(gate->closed());
    EXPECT_EQ(gate->status().state, GateState::Open);
}

TEST_F(GateTest, OnlyAConnectErrorMakesItUnreachable) {
    const auto gate = make();
    gate->note_unreachable();
    EXPECT_FALSE(gate->closed());
    sender.connect_error = "connection refused";
    gate->note_unreachable();
    EXPECT_EQ(gate->status().state, GateState::Unreachable);
    EXPECT_EQ(gate->status().closed_ms, 1'000);
    clock.advance(std::chrono::seconds(2));
    gate->note_unreachable();
    EXPECT_EQ(gate->status().closed_ms, 2'000);
}

TEST_F(GateTest, FailuresOfEverybodyCloseItUntilAnotherAnswerComes) {
    const auto gate = make();
    gate->note_error("503 UNAVAILABLE");
    gate->note_failures(kFailedRunMin - 1, 0);
    EXPECT_EQ(gate->status().state, GateState::Open);  // too few to tell
    gate->note_failures(19, 1);
    gate->note_failures(1, 0);
    EXPECT_EQ(gate->status().state, GateState::Open);  // not everybody
    gate->note_failures(kFailedRunMin - 1, 0);
    ASSERT_EQ(gate->status().state, GateState::Failing);
    EXPECT_EQ(gate->status().reason, "503 UNAVAILABLE");
    EXPECT_TRUE(gate->closed());
    EXPECT_TRUE(gate->fails_everybody());
    const int64_t first_pause = gate->status().closed_ms;
    gate->note_failures(1'000, 0);  // a page of before
    EXPECT_EQ(gate->status().closed_ms, first_pause);
    clock.advance(std::chrono::milliseconds(first_pause + 1));
    EXPECT_EQ(gate->page_rows(false, 1'000), kProbePage);
    gate->note_failures(1, 0);
    EXPECT_GT(gate->status().closed_ms, first_pause);
    clock.advance(std::chrono::seconds(60));
    gate->note_failures(0, 1);  // refused or gone: it works
    EXPECT_EQ(gate->status().state, GateState::Open);
    EXPECT_FALSE(gate->fails_everybody());
}

TEST_F(GateTest, FailuresSoonAfterASuccessAreTheirOwn) {  // stragglers and retries come in pages of their own
    const auto gate = make();
    gate->note_answers(970, 0);
    gate->note_failures(0, 970);
    clock.advance(std::chrono::seconds(15));
    gate->note_failures(30, 0);
    EXPECT_EQ(gate->status().state, GateState::Open);
    clock.advance(std::chrono::seconds(6));
    gate->note_failures(30, 0);
    EXPECT_EQ(gate->status().state, GateState::Failing);
}

TEST_F(GateTest, OtherTroubleInBetweenDoesNotEndPatience) {
    const auto gate = make();
    gate->note_failures(100, 0);
    clock.advance(std::chrono::seconds(6));
    gate->note_throttled(1'000);
    EXPECT_EQ(gate->status().state, GateState::Throttled);
    EXPECT_TRUE(gate->fails_everybody());
    clock.advance(std::chrono::seconds(2));
    gate->note_success();
    EXPECT_FALSE(gate->fails_everybody());
}

TEST_F(GateTest, PatienceWithAFailingProviderEnds) {
    const auto gate = make();
    gate->note_failures(100, 0);
    EXPECT_TRUE(gate->fails_everybody());
    clock.advance(std::chrono::hours(23));
    gate->note_failures(8, 0);
    EXPECT_TRUE(gate->fails_everybody());
    clock.advance(std::chrono::hours(1));
    EXPECT_FALSE(gate->fails_everybody());
}

TEST_F(GateTest, ASlowPaceMeansSmallPagesAndLittleRoom) {
    const auto gate = make(600);  // ten a second
    EXPECT_EQ(gate->page_rows(false, 1'000), 10u);
    gate->took(10);
    EXPECT_EQ(gate->room(false), 0u);
    EXPECT_GT(gate->room(true), 0u);
    gate->gave_back(4);
    EXPECT_EQ(gate->room(false), 4u);
}

TEST_F(GateTest, OverloadHalvesTheWindowOncePerMomentAndAcceptedPagesWidenIt) {
    const auto gate = make();
    clock.advance(std::chrono::seconds(1));
    const uint32_t whole = gate->status().window;
    gate->note_answers(95, 5);
    EXPECT_EQ(gate->status().window, whole) << "a few are no overload";
    gate->note_answers(50, 50);
    gate->note_answers(0, 100);
    EXPECT_EQ(gate->status().window, whole / 2) << "pages of one moment";
    clock.advance(std::chrono::milliseconds(600));
    gate->note_answers(0, 100);
    EXPECT_EQ(gate->status().window, whole / 4);
    for (int i = 0; i < 20; ++i) {
        clock.advance(std::chrono::milliseconds(600));
        gate->note_answers(0, 100);
    }
    EXPECT_EQ(gate->status().window, whole / 64);
    uint32_t before = gate->status().window;
    int steps = 0;
    for (; before < whole && steps < 100; ++steps) {
        gate->note_answers(100, 0);
        gate->note_answers(100, 0);
        EXPECT_LE(gate->status().window, before + whole / 64 + 1);
        before = gate->status().window;
        clock.advance(std::chrono::milliseconds(60));
    }
    EXPECT_EQ(before, whole);
    EXPECT_GE(steps, 60);
}

TEST_F(GateTest, AThrottleLeavesASmallerWindowAndANewGenerationTheWholeOne) {
    const auto gate = make();
    clock.advance(std::chrono::seconds(1));
    const uint32_t whole = gate->status().window;
    gate->note_throttled(1'000);
    clock.advance(std::chrono::seconds(2));
    gate->note_success();
    EXPECT_EQ(gate->status().window, whole / 2);
    gate->switch_to(generation);
    EXPECT_EQ(gate->status().window, whole);
}

TEST_F(GateTest, StragglersAreAtMostAQuarterOfTheStreams) {
    sender.streams = 400;
    const auto gate = make();
    EXPECT_GT(gate->room(false), 0u);  // has looked at the streams
    EXPECT_TRUE(gate->take_stragglers(100));
    EXPECT_FALSE(gate->take_stragglers(1));
    gate->straggler_done(1);
    EXPECT_TRUE(gate->take_stragglers(1));
}

TEST_F(GateTest, ARequestCarriesAtMostASecondOfThePace) {
    EXPECT_EQ(make(6'000)->request_deliveries_max(), 100u);
    EXPECT_EQ(make(59)->request_deliveries_max(), 1u);
    EXPECT_EQ(make(0)->request_deliveries_max(), UINT32_MAX);
}

TEST_F(GateTest, APartOfTheInstanceCanBePausedAlone) {
    const auto gate = make();
    EXPECT_EQ(gate->platform_paused_until(5, 1'000), 0);
    gate->platforms().pause(5, 9'000);
    EXPECT_EQ(gate->platform_paused_until(5, 1'000), 9'000);
    EXPECT_EQ(gate->platform_paused_until(6, 1'000), 0);
    EXPECT_EQ(gate->platform_paused_until(5, 9'000), 0);
    EXPECT_FALSE(gate->closed());
}

TEST_F(GateTest, ANewGenerationLiftsThePauseOfAPart) {
    const auto gate = make();
    gate->platforms().pause(1, clock.unix_ms() + 60'000);
    ASSERT_NE(gate->platform_paused_until(1, clock.unix_ms()), 0);
    gate->switch_to(std::make_shared<Generation>());
    EXPECT_EQ(gate->platform_paused_until(1, clock.unix_ms()), 0);
}

TEST_F(GateTest, ConnectionsAreRetiredOnceForManyVerdicts) {
    const auto gate = make();
    for (int i = 0; i < 100; ++i) gate->retire_connections(7);
    EXPECT_EQ(sender.retired, 1);
    clock.advance(std::chrono::seconds(2));
    gate->retire_connections(7);
    EXPECT_EQ(sender.retired, 2);
}

class GatesTest : public GateTest {
protected:
    GatesTest() {
        std::vector<std::unique_ptr<Gate>> all;
        all.push_back(make(0, "one", *numbers->number("one")));
        all.push_back(make(0, "two", *numbers->number("two")));
        gates = std::make_unique<Gates>(*numbers, std::move(all));
    }
    fakes::MemoryStorage memory;
    plugins::Faults faults{"storage"};
    plugins::Storage storage{memory.table(), memory.instance(), faults};
    const std::unique_ptr<audience::NameNumbers> numbers =
        std::move(*audience::NameNumbers::open(storage, audience::kGateNumbers, 10));
    std::unique_ptr<Gates> gates;
    std::vector<uint32_t> open;
};

TEST_F(GatesTest, NoGateHoldsAllPageSlotsWhileThereAreOthers) {
    EXPECT_GT(gates->open_gates(false, 10, 100, open), 0u);
    EXPECT_EQ(open, (std::vector<uint32_t>{1, 2}));
    for (int i = 0; i < 5; ++i) gates->by_name("one")->took_page();
    gates->open_gates(false, 10, 100, open);
    EXPECT_EQ(open, std::vector<uint32_t>{2});
}

TEST_F(GatesTest, OneClaimCannotTakeAGateBeyondItsShare) {
    for (int i = 0; i < 3; ++i) gates->by_name("one")->took_page();
    EXPECT_EQ(gates->open_gates(false, 10, 100, open), 2u);  // though the other one has room for five
}

TEST_F(GatesTest, HighMayHoldATenthMoreThanTheShare) {
    for (int i = 0; i < 5; ++i) gates->by_name("one")->took_page();
    EXPECT_EQ(gates->open_gates(true, 10, 100, open), 1u);
    EXPECT_EQ(open, (std::vector<uint32_t>{1, 2}));
    gates->by_name("one")->took_page();
    gates->open_gates(true, 10, 100, open);
    EXPECT_EQ(open, std::vector<uint32_t>{2});
}

TEST_F(GatesTest, AreFoundByNameAndNumber) {
    EXPECT_EQ(gates->by_name("two")->number(), 2u);
    EXPECT_EQ(gates->by_number(1)->name(), "one");
    EXPECT_EQ(gates->by_number(9), nullptr);
    EXPECT_EQ(gates->by_name("three"), nullptr);
    EXPECT_EQ(gates->name_of(1), "one");
    EXPECT_EQ(gates->name_of(0), "");
}

TEST_F(GatesTest, WhatWaitsForAnOriginHasANumberOfItsOwn) {
    Gate& two = *gates->by_name("two");
    two.use_waiting_number(*numbers->number("two/waiting"));
    EXPECT_EQ(gates->by_number(two.waiting_number()), &two);
    EXPECT_EQ(gates->by_number(0), nullptr);
    EXPECT_EQ(gates->name_of(two.waiting_number()), "two");
    gates->open_gates(false, 10, 100, open);
    EXPECT_EQ(open, (std::vector<uint32_t>{1, 2, two.waiting_number()}));
    two.origins().refused(7, "https://one", "FORBIDDEN");
    gates->open_gates(false, 10, 100, open);
    EXPECT_EQ(open, (std::vector<uint32_t>{1, 2}));
}

}  // namespace
}  // namespace belfry::delivery
