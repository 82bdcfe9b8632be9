// SPDX-License-Identifier: Apache-2.0
// The engine against a misbehaving peer: GOAWAY, refused and reset streams, lost and silent connections, back-off; and
// connections that end of themselves.
#include <atomic>
#include <map>
#include <set>

#include "http/engine_rig.h"
#include "http/pacer.h"

namespace belfry::http {

using namespace std::chrono_literals;
using fakes::H2Server;
using fakes::Reply;
using fakes::SeenRequest;
using fakes::ServerScript;

using AnEngineInTrouble = EngineRig;

std::map<std::string, int> times_seen(const H2Server& server) {
    std::map<std::string, int> times;
    for (const SeenRequest& seen : server.journal()) ++times[seen.path];
    return times;
}

// H2 of the FCM page.
TEST_F(AnEngineInTrouble, ReplaysStreamsAboveAGoawayAndAwaitsTheOthers) {
    ServerScript script;
    std::atomic<int> seen_first{0};
    H2Server* server_address = nullptr;
    script.reply = [&](const SeenRequest& request) {
        if (request.connection == 0 && ++seen_first == 60) server_address->go_away(41, 0, "bye", 0);
        return answer(200, "", request.connection == 0 ? 1000 : 0);  // none before the last of them has come
    };
    H2Server server(ca_, script);
    server_address = &server;
    const Plan plan = one_connection_plan(server);
    Batch batch(plan, 60);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 60u);
    EXPECT_EQ(batch.exceptions(), 0);
    std::map<int, std::set<int32_t>> answered;
    int doubled = 0;
    for (const auto& [path, times] : times_seen(server)) doubled += times > 1;
    // Those above 41 were seen by the dying connection, which did not process them, and again by the next.
    EXPECT_EQ(doubled, 60 - 21);
    EXPECT_EQ(server.accepted(), 2);
    EXPECT_EQ(metric("http_goaways_total", server), 1);
    EXPECT_EQ(metric("http_replays_total", server), 39);
    EXPECT_EQ(metric("http_resets_total", server), 0);
}

TEST_F(AnEngineInTrouble, UnderstandsAGoawayInTwoSteps) {
    ServerScript script;
    script.reply = [](const SeenRequest&) { return answer(200, "", 50); };
    H2Server server(ca_, script);
    const Plan plan = one_connection_plan(server);
    Batch batch(plan, 50);
    submit(batch);
    ASSERT_TRUE(eventually([&] { return server.seen() == 50; }));
    server.go_away(INT32_MAX, 0, {}, 0);
    server.go_away(99, 0, {}, 0);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 50u);
    EXPECT_EQ(server.seen(), 50u);
    EXPECT_TRUE(eventually([&] { return server.open_connections() == 0; }));
}

// H3 of the FCM page.
TEST_F(AnEngineInTrouble, ReplaysRefusedStreams) {
    ServerScript script;
    std::atomic<int> n{0};
    script.reply = [&](const SeenRequest&) { return ++n % 10 == 0 ? action(Reply::Action::Refuse) : answer(200); };
    H2Server server(ca_, script);
    const Plan plan = plan_for(add(config_for(server)));
    Batch batch(plan, 2000);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 2000u);
    EXPECT_EQ(batch.exceptions(), 0);
    EXPECT_GT(metric("http_replays_total", server), 199);
}

TEST_F(AnEngineInTrouble, GivesUpReplayingAfterABoundedNumber) {
    ServerScript script;
    script.reply = [&](const SeenRequest&) { return action(Reply::Action::Refuse); };
    H2Server server(ca_, script);
    const Plan plan = plan_for(add(config_for(server)));
    Batch batch(plan, 20);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::NeverSent), 20u);
    EXPECT_EQ(server.seen(), 20u * 9);
}

TEST_F(AnEngineInTrouble, CallsResetStreamsUnknownUnlessTheirStatusIsKnown) {
    ServerScript script;
    script.reply = [&](const SeenRequest& request) {
        return action(request.path == "/push/t0" ? Reply::Action::HeadThenReset : Reply::Action::Reset);
    };
    H2Server server(ca_, script);
    const Plan plan = plan_for(add(config_for(server)));
    Batch batch(plan, 5);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 1u);
    EXPECT_EQ(batch.count(Transport::Unknown), 4u);
    EXPECT_TRUE(batch.exchanges[0].cut) << "its end never came";
    EXPECT_EQ(server.seen(), 5u);
    EXPECT_EQ(metric("http_resets_total", server), 4);
}

TEST_F(AnEngineInTrouble, CallsRequestsOfALostConnectionUnknownAndGoesOn) {
    ServerScript script;
    script.reply = [&](const SeenRequest& request) {
        return request.connection == 0 ? action(Reply::Action::Silence) : answer(200);
    };
    H2Server server(ca_, script);
    const Plan plan = one_connection_plan(server);
    Batch batch(plan, 200);
    submit(batch);
    ASSERT_TRUE(eventually([&] { return server.seen() == 90; }));
    server.drop(0);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Unknown), 90u);
    EXPECT_EQ(batch.count(Transport::Answered, 200), 110u);
}

TEST_F(AnEngineInTrouble, OpensNothingWhileMoreIsInFlightThanAPeerAllowsByNow) {
    constexpr int kHeldMs = 400;
    ServerScript script;
    script.reply = [](const SeenRequest& request) {
        return answer(200, "", request.path.starts_with("/push/held") ? kHeldMs : 20);
    };
    H2Server server(ca_, script);
    EndpointConfig config = config_for(server);
    config.connections_max = 1;
    const EndpointId endpoint = add(config);
    const Plan plan = plan_for(endpoint);
    warm_up(plan);
    Batch held(plan, 60, "held"), later(plan, 40, "later");
    submit(held);
    ASSERT_TRUE(eventually([&] { return server.seen() == 61; }));
    server.set_streams_max(10);
    ASSERT_TRUE(eventually([&] { return engine_->credit(endpoint) == 0; }));
    submit(later);
    ASSERT_TRUE(held.wait());
    ASSERT_TRUE(later.wait());
    EXPECT_EQ(held.count(Transport::Answered, 200), 60u);
    EXPECT_EQ(later.count(Transport::Answered, 200), 40u);
    EXPECT_EQ(metric("http_replays_total", server), 0) << "the peer would have had to refuse streams";
    EXPECT_EQ(server.accepted(), 1);
    const std::vector<SeenRequest> journal = server.journal();
    for (const SeenRequest& seen : journal) {
        if (!seen.path.starts_with("/push/later")) continue;
        EXPECT_GE(seen.at_ns - journal[1].at_ns, (kHeldMs - 50) * kNsPerMs) << seen.path;
    }
}

// H4 of the FCM page.
TEST_F(AnEngineInTrouble, LeavesAConnectionThatWentSilent) {
    ServerScript script;
    script.streams_max = 10;
    script.reply = [](const SeenRequest&) { return answer(200); };
    H2Server server(ca_, script);
    const Plan plan = one_connection_plan(server);
    Batch batch(plan, 50);
    warm_up(plan);
    server.freeze(true, 0);
    batch.portion.answer_timeout_ns = 800 * kNsPerMs;
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Unknown), 9u);  // what the silent connection had taken
    EXPECT_EQ(batch.count(Transport::Answered, 200), 41u);
    EXPECT_EQ(server.accepted(), 2);
}

TEST_F(AnEngineInTrouble, LeavesAConnectionWhoseDataNobodyAcknowledges) {
    EngineOptions options;
    options.unacknowledged_ms = 1'000;
    engine_ = make(options);
    ServerScript script;
    script.reply = [](const SeenRequest&) { return answer(200); };
    H2Server server(ca_, script);
    const Plan plan = one_connection_plan(server);
    warm_up(plan);
    server.fall_off(0);
    Batch lost(plan, 1), next(plan, 1, "next");
    lost.portion.answer_timeout_ns = 3'600 * kNsPerSecond;  // it is not the time-out that ends it
    submit(lost);
    ASSERT_TRUE(lost.wait()) << "the kernel gives up after a second or two";
    EXPECT_EQ(lost.count(Transport::Unknown), 1u) << "it may have arrived";
    submit(next);
    ASSERT_TRUE(next.wait());
    EXPECT_EQ(next.count(Transport::Answered, 200), 1u);
    EXPECT_EQ(server.accepted(), 2);
    EXPECT_EQ(server.pings(), 0) << "no probe found it";
}

TEST_F(AnEngineInTrouble, BacksOffWhileNothingListensAndRecovers) {
    auto server = std::make_unique<H2Server>(ca_, ServerScript{});
    EndpointConfig config = config_for(*server);
    const uint16_t port = server->port();
    server.reset();
    const EndpointId endpoint = add(config);
    const Plan plan = plan_for(endpoint);
    Batch batch(plan, 10);
    batch.portion.unsent_until_mono_ns = in(400ms);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::NeverSent), 10u);
    EXPECT_NE(engine_->last_connect_error(endpoint).find("Connection refused"), std::string::npos)
        << engine_->last_connect_error(endpoint);
    const double failures =
        metrics_.value("http_connect_failures_total", {{"endpoint", "localhost:" + std::to_string(port)}});
    EXPECT_GE(failures, 2);
    EXPECT_LE(failures, 6);
    CallRequest request;
    const Result<CallAnswer> refused = engine_->call(endpoint, request, in(50ms));
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::Unavailable);
    EXPECT_NE(refused.error().message.find("refused"), std::string::npos);
}

TEST_F(AnEngineInTrouble, DoesNotHammerAPeerThatClosesEveryConnection) {
    ServerScript script;
    script.close_after_handshake = true;
    H2Server server(ca_, script);
    const EndpointId endpoint = add(config_for(server));
    const Plan plan = plan_for(endpoint);
    Batch batch(plan, 10);
    batch.portion.unsent_until_mono_ns = in(500ms);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::NeverSent), 10u);
    EXPECT_LE(server.accepted(), 8);
    EXPECT_FALSE(engine_->last_connect_error(endpoint).empty());
}

TEST_F(AnEngineInTrouble, DoesNotHammerAPeerThatGoesAwayAtOnce) {
    ServerScript script;
    H2Server* server_address = nullptr;
    script.reply = [&](const SeenRequest& request) {
        server_address->go_away(0, 0, "overloaded", request.connection);
        return action(Reply::Action::Silence);
    };
    H2Server server(ca_, script);
    server_address = &server;
    const EndpointId endpoint = add(config_for(server));
    const Plan plan = plan_for(endpoint);
    Batch batch(plan, 10);
    batch.portion.unsent_until_mono_ns = in(700ms);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::NeverSent), 10u);
    EXPECT_LE(server.accepted(), 8);
    EXPECT_NE(engine_->last_connect_error(endpoint).find("overloaded"), std::string::npos)
        << engine_->last_connect_error(endpoint);
}

TEST_F(AnEngineInTrouble, OtherEndpointsAreNotAffectedByAnUnreachableOne) {
    ServerScript mute;
    mute.handshake = false;
    H2Server dead(ca_, mute), good(ca_, ServerScript{});
    const Plan dead_plan = plan_for(add(config_for(dead))), good_plan = plan_for(add(config_for(good)));
    Batch waiting(dead_plan, 100), batch(good_plan, 100);
    submit(waiting);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 100u);
    EXPECT_EQ(waiting.completions(), 0);
    engine_->stop(0);
    EXPECT_EQ(waiting.count(Transport::NeverSent), 100u);
}

TEST_F(AnEngineInTrouble, GivesUpHandshakesThatTakeTooLong) {
    ServerScript mute;
    mute.handshake = false;
    H2Server server(ca_, mute);
    EngineOptions options;
    options.connect_timeout_ms = 50;
    const auto engine = make(options);
    const EndpointId endpoint = *engine->add_endpoint(config_for(server));
    const Plan plan = plan_for(endpoint);
    Batch batch(plan, 5);
    batch.portion.unsent_until_mono_ns = in(400ms);
    submit(*engine, batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::NeverSent), 5u);
    EXPECT_NE(engine->last_connect_error(endpoint).find("timed out"), std::string::npos);
    EXPECT_GE(metric("http_connect_failures_total", server), 2);
}

// A peer that is gone without a word: the kernel still takes what we write. An idle connection is found out by a probe,
// a busy one by its answers' time-out.
TEST_F(AnEngineInTrouble, FindsOutHalfOpenConnectionsInTime) {
    constexpr std::chrono::milliseconds kSlack = 1500ms;  // for a busy machine
    H2Server server(ca_, ServerScript{});
    EndpointConfig config = config_for(server);
    config.ping_s = 1;
    config.connections_max = 1;
    const Plan plan = plan_for(add(config));
    warm_up(plan);
    EXPECT_TRUE(eventually([&] { return server.pings() == 2; }));
    EXPECT_EQ(metric("http_connections", server), 1);
    server.freeze(true, 0);
    const int64_t frozen = clock_.mono_ns();
    EXPECT_TRUE(eventually([&] { return metric("http_connections", server) == 0; }));
    EXPECT_LT(clock_.mono_ns() - frozen, std::chrono::nanoseconds(2s + kSlack).count()) << "a probe, and its answer";

    warm_up(plan);
    server.freeze(true, 1);
    Batch lost(plan, 5, "lost"), after(plan, 5);
    lost.portion.answer_timeout_ns = 700 * kNsPerMs;
    submit(lost);
    const int64_t written = clock_.mono_ns();
    ASSERT_TRUE(lost.wait());
    EXPECT_EQ(lost.count(Transport::Unknown), 5u);
    EXPECT_LT(clock_.mono_ns() - written, std::chrono::nanoseconds(700ms + kSlack).count());
    submit(after);
    ASSERT_TRUE(after.wait());
    EXPECT_EQ(after.count(Transport::Answered, 200), 5u);
    EXPECT_EQ(server.accepted(), 3);
}

TEST_F(AnEngineInTrouble, BoundsConcurrentHandshakes) {
    ServerScript mute;
    mute.handshake = false;
    H2Server dead(ca_, mute), good(ca_, ServerScript{});
    EngineOptions options;
    options.handshakes_max = 1;
    options.connect_timeout_ms = 200;
    const auto engine = make(options);
    const Plan dead_plan = plan_for(*engine->add_endpoint(config_for(dead)));
    const Plan good_plan = plan_for(*engine->add_endpoint(config_for(good)));
    Batch waiting(dead_plan, 1), batch(good_plan, 1);
    submit(*engine, waiting);
    ASSERT_TRUE(eventually([&] { return dead.accepted() == 1; }));
    submit(*engine, batch);
    ASSERT_TRUE(batch.wait());  // once the only place for handshakes is free again
    EXPECT_EQ(batch.count(Transport::Answered, 200), 1u);
    EXPECT_EQ(metric("http_connect_failures_total", dead), 1);
    engine->stop(0);
    EXPECT_EQ(waiting.count(Transport::NeverSent), 1u);
}

// P1 of the FCM page, shortened: 400 requests at 200 per second.
TEST_F(AnEngineInTrouble, SpreadsPacedRequestsEvenly) {
    H2Server server(ca_, ServerScript{});
    const Plan plan = plan_for(add(config_for(server)));
    Pacer pacer(200 * 60);
    Batch batch(plan, 400);
    batch.portion.pacer = &pacer;
    batch.portion.unsent_until_mono_ns = in(30s);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 400u);
    const std::vector<SeenRequest> journal = server.journal();
    const int64_t start = journal.front().at_ns;
    EXPECT_GT(journal.back().at_ns - start, 1'800'000'000);
    std::map<int64_t, int> windows;
    for (const SeenRequest& seen : journal) ++windows[(seen.at_ns - start) / 500'000'000];
    for (const auto& [window, n] : windows) EXPECT_LE(n, 120) << window;
}

// P2 of the FCM page, shortened.
TEST_F(AnEngineInTrouble, SendsNothingDuringAPauseAndRampsUpAfterIt) {
    H2Server server(ca_, ServerScript{});
    const Plan plan = plan_for(add(config_for(server)));
    Pacer pacer(60'000);
    pacer.pause_until(in(300ms), 500 * kNsPerMs);
    const int64_t pause_end = clock_.mono_ns() + 300 * kNsPerMs;
    Batch batch(plan, 600);
    batch.portion.pacer = &pacer;
    batch.portion.unsent_until_mono_ns = in(30s);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    int first_200ms = 0, later = 0;
    for (const SeenRequest& seen : server.journal()) {
        EXPECT_GE(seen.at_ns, pause_end);
        if (seen.at_ns < pause_end + 200 * kNsPerMs) ++first_200ms;
        if (seen.at_ns >= pause_end + 400 * kNsPerMs && seen.at_ns < pause_end + 600 * kNsPerMs) ++later;
    }
    EXPECT_LT(first_200ms, 130);  // full speed would be 200 and the bucket
    EXPECT_GT(later, first_200ms);
}

TEST_F(AnEngineInTrouble, ClosesIdleAndRetiredConnections) {
    H2Server server(ca_, ServerScript{});
    EndpointConfig config = config_for(server);
    config.idle_s = 1;
    const EndpointId endpoint = add(config);
    const Plan plan = plan_for(endpoint);
    Batch first(plan, 1), second(plan, 1);
    submit(first);
    ASSERT_TRUE(first.wait());
    EXPECT_EQ(server.open_connections(), 1);
    engine_->retire(endpoint);
    EXPECT_TRUE(eventually([&] { return server.open_connections() == 0; }));
    submit(second);
    ASSERT_TRUE(second.wait());
    EXPECT_EQ(server.accepted(), 2);
    EXPECT_TRUE(eventually([&] { return server.open_connections() == 0; }));
    EXPECT_EQ(metric("http_connections", server), 0);
    EXPECT_EQ(metric("http_connect_failures_total", server), 0);
}

TEST_F(AnEngineInTrouble, ReplacesConnectionsOfAge) {
    ServerScript script;
    script.reply = [](const SeenRequest&) { return answer(200, "", 20); };
    H2Server server(ca_, script);
    EndpointConfig config = config_for(server);
    config.age_max_s = 1;
    config.connections_max = 1;
    const Plan plan = plan_for(add(config));
    Batch batch(plan, 6000);
    batch.portion.unsent_until_mono_ns = in(30s);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 6000u);
    EXPECT_GE(server.accepted(), 2);
}

}  // namespace belfry::http
