// SPDX-License-Identifier: Apache-2.0
// The engine against a scripted server: answers, streams, deadlines, recall.
#include "http/engine.h"

#include <map>
#include <set>

#include "http/engine_rig.h"

namespace belfry::http {

using namespace std::chrono_literals;
using fakes::H2Server;
using fakes::Reply;
using fakes::SeenRequest;
using fakes::ServerScript;

using AnEngine = EngineRig;

TEST_F(AnEngine, SendsPlansAndKeepsShortAnswersInline) {
    ServerScript script;
    script.reply = [](const SeenRequest& request) { return answer(200, "ok " + request.path); };
    H2Server server(ca_, script);
    Plan plan = plan_for(add(config_for(server)));
    auto slot = std::make_shared<CredentialSlot>();
    slot->set(std::make_shared<const Credential>(Credential{"Bearer secret", 7, 0}));
    plan.credential = slot;
    Batch batch(plan, 3);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 3u);
    EXPECT_EQ(batch.exchanges[1].body(), "ok /push/t1");
    EXPECT_EQ(batch.exchanges[1].detail, nullptr);
    EXPECT_EQ(batch.exchanges[1].credential_generation, 7u);
    EXPECT_EQ(batch.exceptions(), 0);
    EXPECT_EQ(batch.portion.finished.load(), 3u);
    const SeenRequest seen = server.journal().at(0);
    EXPECT_EQ(seen.method, "POST");
    EXPECT_EQ(seen.body, "{\"to\":\"t0\"}");
    EXPECT_EQ(seen.authority, "localhost:" + std::to_string(server.port()));
    EXPECT_EQ(seen.headers.at("authorization"), "Bearer secret");
    EXPECT_EQ(seen.headers.at("content-type"), "application/json");
    EXPECT_EQ(seen.headers.at("content-length"), "11");
}

TEST_F(AnEngine, GivesDetailForExceptionsAndAnnouncesThem) {
    ServerScript script;
    script.reply = [](const SeenRequest& request) {
        Reply reply = answer(request.path == "/push/t1" ? 429 : 200, "{}");
        reply.headers = {{"retry-after", "7"}, {"x-other", "no"}, {"date", "Sun, 06 Nov 1994 08:49:37 GMT"}};
        return reply;
    };
    H2Server server(ca_, script);
    const Plan plan = plan_for(add(config_for(server)));
    Batch batch(plan, 2);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.exceptions(), 1);
    const Exchange& refused = batch.exchanges[1];
    ASSERT_NE(refused.detail, nullptr);
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.body(), "{}");
    ASSERT_EQ(refused.detail->headers.size(), 1u);
    EXPECT_EQ(refused.detail->headers[0].second, "7");
    EXPECT_EQ(refused.detail->date_unix_ms, 784111777000);
    EXPECT_EQ(batch.exchanges[0].detail, nullptr);
}

TEST_F(AnEngine, KeepsTheHeadersThatAPlanNamesWhateverTheStatus) {
    const std::string long_value(300, 'v');
    ServerScript script;
    script.reply = [&](const SeenRequest& request) {
        Reply reply =
            answer(request.path == "/push/t1" ? 400 : 200, request.path == "/push/t3" ? std::string(90, 'b') : "ok");
        reply.headers = {{"x-id", request.path.substr(6)}, {"x-other", "no"}, {"x-empty", ""}};
        if (request.path == "/push/t2") reply.headers.push_back({"location", long_value});
        if (request.path == "/push/t3") reply.headers.push_back({"location", std::string(40, 'l')});
        return reply;
    };
    H2Server server(ca_, script);
    Plan plan = plan_for(add(config_for(server)));
    plan.keep = {"location", "x-empty", "x-id"};
    Batch batch(plan, 4);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    using Headers = std::map<std::string, std::string>;
    const auto headers = [&](size_t i) {
        Headers all;
        batch.exchanges[i].each_header(
            [&](std::string_view name, std::string_view value) { all.emplace(name, value); });
        return all;
    };
    EXPECT_EQ(headers(0), (Headers{{"x-id", "t0"}, {"x-empty", ""}}));
    EXPECT_EQ(batch.exchanges[0].detail, nullptr) << "short ones need no memory of their own";
    EXPECT_EQ(batch.exchanges[0].body(), "ok");
    EXPECT_EQ(headers(1), (Headers{{"x-id", "t1"}, {"x-empty", ""}}));
    EXPECT_EQ(headers(2), (Headers{{"x-id", "t2"}, {"x-empty", ""}, {"location", long_value}}));
    EXPECT_EQ(batch.exchanges[2].body(), "ok");
    EXPECT_EQ(headers(3), (Headers{{"x-id", "t3"}, {"x-empty", ""}, {"location", std::string(40, 'l')}}));
    EXPECT_EQ(batch.exchanges[3].body(), std::string(90, 'b')) << "body and headers together are longer than 128 bytes";
}

TEST_F(AnEngine, CutsAnswersThatAreLongerThanThePlanAllows) {
    ServerScript script;
    script.reply = [](const SeenRequest& request) {
        return answer(200, std::string(request.path == "/push/t0" ? 300 : 1'000'000, 'x'));
    };
    H2Server server(ca_, script);
    Plan plan = plan_for(add(config_for(server)));
    plan.answer_max = 400;
    Batch batch(plan, 2);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 2u);
    EXPECT_EQ(batch.exchanges[0].body().size(), 300u);
    EXPECT_FALSE(batch.exchanges[0].truncated);
    EXPECT_EQ(batch.exchanges[1].body().size(), 400u);
    EXPECT_TRUE(batch.exchanges[1].truncated);
}

// H1 of the FCM page: 100 streams, 5,000 requests.
TEST_F(AnEngine, KeepsToThePeersLimitAndOpensFurtherConnections) {
    ServerScript script;
    script.reply = [](const SeenRequest&) { return answer(200, "{}", 5); };
    H2Server server(ca_, script);
    const Plan plan = plan_for(add(config_for(server)));
    Batch batch(plan, 5000);
    batch.portion.unsent_until_mono_ns = in(60s);  // sanitizers on a busy machine take longer than the default
    submit(batch);
    ASSERT_TRUE(batch.wait(60s));
    EXPECT_EQ(batch.count(Transport::Answered, 200), 5000u);
    EXPECT_LE(server.most_streams(), 90u);  // a tenth is reserved for lane high
    EXPECT_GT(server.most_streams(), 80u);
    EXPECT_GE(server.accepted(), 2);
    EXPECT_LE(server.accepted(), 8);
    std::set<std::string> paths;
    for (const SeenRequest& seen : server.journal()) paths.insert(seen.path);
    EXPECT_EQ(paths.size(), 5000u);
    EXPECT_EQ(server.seen(), 5000u);
}

TEST_F(AnEngine, LeavesTheReservedStreamsToLaneHigh) {
    ServerScript script;
    script.streams_max = 20;
    script.reply = [](const SeenRequest& request) {
        return request.path.starts_with("/push/slow") ? action(Reply::Action::Silence) : answer(200);
    };
    H2Server server(ca_, script);
    const Plan plan = one_connection_plan(server);
    Batch slow(plan, 40, "slow"), urgent(plan, 1, "urgent");
    slow.portion.answer_timeout_ns = 60 * kNsPerSecond;
    warm_up(plan);
    submit(slow);
    ASSERT_TRUE(eventually([&] { return server.seen() == 19; }));
    urgent.portion.high = true;
    submit(urgent);
    ASSERT_TRUE(urgent.wait());
    EXPECT_EQ(urgent.count(Transport::Answered, 200), 1u);
    EXPECT_EQ(server.seen(), 20u);
    engine_->stop(0);
    EXPECT_TRUE(slow.wait(0ms));
    EXPECT_EQ(slow.count(Transport::Unknown), 18u);
    EXPECT_EQ(slow.count(Transport::NeverSent), 22u);
}

TEST_F(AnEngine, FollowsALimitThatShrinksToNothingAndGrowsAgain) {
    ServerScript script;
    script.streams_max = 0;
    script.reply = [](const SeenRequest&) { return answer(200); };
    H2Server server(ca_, script);
    EndpointConfig config = config_for(server);
    config.connections_max = 1;
    config.wait_settings = true;
    const EndpointId endpoint = add(config);
    EXPECT_EQ(engine_->credit(endpoint), 1u);
    const Plan plan = plan_for(endpoint);
    Batch first(plan, 1), second(plan, 500);
    first.portion.unsent_until_mono_ns = in(30s);
    second.portion.unsent_until_mono_ns = in(30s);
    submit(first);
    // One request may leave before the SETTINGS are known; the peer refuses it, and it is replayed later.
    ASSERT_TRUE(eventually([&] { return server.handshakes() == 1 && engine_->credit(endpoint) == 0; }));
    server.set_streams_max(1);
    ASSERT_TRUE(first.wait());
    EXPECT_EQ(first.count(Transport::Answered, 200), 1u);
    server.set_streams_max(1000);
    submit(second);
    ASSERT_TRUE(second.wait());
    EXPECT_EQ(second.count(Transport::Answered, 200), 500u);
    EXPECT_EQ(server.accepted(), 1);
}

TEST_F(AnEngine, OpensNoFurtherConnectionBeforeAPeerThatWaitsForACredentialHasAnswered) {
    constexpr int kFirstAnswerMs = 150;
    ServerScript script;
    script.streams_max = 1;
    script.reply = [](const SeenRequest& request) {
        return answer(200, "", request.connection == 0 && request.stream == 1 ? kFirstAnswerMs : 20);
    };
    H2Server server(ca_, script);
    EndpointConfig config = config_for(server);
    config.wait_settings = true;
    const Plan plan = plan_for(add(config));
    Batch batch(plan, 20);
    batch.portion.unsent_until_mono_ns = in(30s);
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 20u);
    const std::vector<SeenRequest> journal = server.journal();
    EXPECT_GT(server.accepted(), 1) << "a limit that stays at one is a shortage";
    for (const SeenRequest& request : journal) {
        if (request.connection == 0) continue;
        EXPECT_GE(request.at_ns - journal.front().at_ns, (kFirstAnswerMs - 10) * 1'000'000LL);
    }
}

TEST_F(AnEngine, LosesNothingWhenTheLimitShrinksInTheMiddleOfABurst) {
    ServerScript script;
    script.reply = [](const SeenRequest&) { return answer(200, "", 10); };
    H2Server server(ca_, script);
    EndpointConfig config = config_for(server);
    config.connections_max = 2;
    const Plan plan = plan_for(add(config));
    warm_up(plan);
    Batch batch(plan, 2000);
    batch.portion.unsent_until_mono_ns = in(30s);
    submit(batch);
    ASSERT_TRUE(eventually([&] { return server.seen() > 300; }));
    server.set_streams_max(5);
    ASSERT_TRUE(eventually([&] { return server.seen() > 500; }));
    server.set_streams_max(0);
    server.set_streams_max(50);
    ASSERT_TRUE(batch.wait(30s));
    EXPECT_EQ(batch.count(Transport::Answered, 200), 2000u);
    EXPECT_LE(server.accepted(), 2);
}

TEST_F(AnEngine, SendsLargeBodiesThroughATinyWindow) {
    ServerScript script;
    script.window = 1000;
    script.reply = [](const SeenRequest& request) { return answer(200, std::to_string(request.body.size())); };
    H2Server server(ca_, script);
    Plan plan = plan_for(add(config_for(server)));
    warm_up(plan);  // nghttp2 servers reset streams that were open when their window shrank
    plan.body = {{PieceKind::Text, 6, 13}, {PieceKind::TokenJson, 0, 0}, {PieceKind::Payload, 0, 150'000}};
    Batch batch(plan, 20);
    std::string payload(150'000, 'p');
    for (size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>('a' + i % 26);
    for (Exchange& exchange : batch.exchanges) exchange.payload = payload;
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 20u);
    for (const SeenRequest& seen : server.journal()) {
        if (seen.path == "/push/warm0") continue;
        EXPECT_EQ(seen.body, "{\"to\":\"" + seen.path.substr(6) + payload) << seen.path;
    }
}

TEST_F(AnEngine, EndsAStreamWhoseAnswerCameBeforeItsBodyWasSent) {
    ServerScript script;
    script.window = 100;
    script.early_status = 413;
    H2Server server(ca_, script);
    Plan plan = one_connection_plan(server);
    warm_up(plan);
    plan.body = {{PieceKind::Payload, 0, 100'000}};
    const std::string payload(100'000, 'p');
    Batch batch(plan, 300);
    for (Exchange& exchange : batch.exchanges) exchange.payload = payload;
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 413), 300u);
}

TEST_F(AnEngine, CallsAndReturnsTheWholeAnswer) {
    ServerScript script;
    script.reply = [](const SeenRequest& request) {
        Reply reply = answer(201, request.method + " " + request.body);
        reply.headers = {{"x-one", "1"}, {"x-two", "2"}};
        return reply;
    };
    H2Server server(ca_, script);
    CallRequest request;
    request.method = "PUT";
    request.path = "/channel";
    request.body = "text";
    request.headers = {{"x-mine", "yes"}};
    const Result<CallAnswer> all = engine_->call(add(config_for(server)), request, in(5s));
    ASSERT_TRUE(all.has_value()) << all.error().to_string();
    EXPECT_EQ(all->status, 201);
    EXPECT_EQ(all->body, "PUT text");
    EXPECT_EQ(all->headers.size(), 2u);
    EXPECT_EQ(server.journal().at(0).headers.at("x-mine"), "yes");
    request.keep = {"x-two"};
    const Result<CallAnswer> one = engine_->call(add(config_for(server)), request, in(5s));
    ASSERT_TRUE(one.has_value());
    ASSERT_EQ(one->headers.size(), 1u);
    EXPECT_EQ(one->headers[0].second, "2");
    request.answer_max = 3;
    const Result<CallAnswer> large = engine_->call(add(config_for(server)), request, in(5s));
    ASSERT_FALSE(large.has_value());
    EXPECT_EQ(large.error().code, ErrorCode::TooLarge);
}

TEST_F(AnEngine, SaysWhyACallFailed) {
    ServerScript script;
    script.reply = [](const SeenRequest& request) {
        if (request.path == "/late") return action(Reply::Action::Silence);
        return request.path == "/cut" ? action(Reply::Action::HeadThenReset) : answer(200);
    };
    H2Server server(ca_, script);
    const EndpointId endpoint = add(config_for(server));
    warm_up(plan_for(endpoint));
    CallRequest request;
    request.path = "/late";
    const Result<CallAnswer> late = engine_->call(endpoint, request, in(200ms));
    ASSERT_FALSE(late.has_value());
    EXPECT_EQ(late.error().code, ErrorCode::DeadlineExceeded);
    request.path = "/cut";
    const Result<CallAnswer> cut = engine_->call(endpoint, request, in(5s));
    ASSERT_FALSE(cut.has_value());
    EXPECT_EQ(cut.error().code, ErrorCode::Unavailable);
    request.path = "no slash";
    const Result<CallAnswer> malformed = engine_->call(endpoint, request, in(5s));
    ASSERT_FALSE(malformed.has_value());
    EXPECT_EQ(malformed.error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(engine_->call(99, request, in(5s)).error().code, ErrorCode::InvalidArgument);
}

TEST_F(AnEngine, FinishesWhatIsNotAnsweredInTime) {
    ServerScript script;
    script.streams_max = 10;
    script.reply = [](const SeenRequest& request) {
        return request.path.starts_with("/push/lost") ? action(Reply::Action::Silence) : answer(200);
    };
    H2Server server(ca_, script);
    const Plan plan = one_connection_plan(server);
    Batch lost(plan, 30, "lost"), fine(plan, 30);
    lost.portion.answer_timeout_ns = 50 * kNsPerMs;
    warm_up(plan);
    submit(lost);
    submit(fine);
    ASSERT_TRUE(lost.wait());
    ASSERT_TRUE(fine.wait());
    EXPECT_EQ(lost.count(Transport::Unknown), 30u);
    EXPECT_EQ(lost.exceptions(), 30);
    EXPECT_EQ(fine.count(Transport::Answered, 200), 30u);
    EXPECT_EQ(metric("http_timeouts_total", server), 30);
    EXPECT_LE(server.most_streams(), 10u);  // a stream counts until its RST was sent
}

TEST_F(AnEngine, GivesBackWhatIsUnsentInTimeOrRecalled) {
    ServerScript script;
    script.streams_max = 10;
    script.reply = [](const SeenRequest&) { return answer(200, "", 300); };
    H2Server server(ca_, script);
    const Plan plan = one_connection_plan(server);
    Batch sent(plan, 9), late(plan, 5), recalled(plan, 7);
    warm_up(plan);
    submit(sent);
    ASSERT_TRUE(eventually([&] { return server.seen() == 10; }));
    late.portion.unsent_until_mono_ns = in(50ms);
    submit(late);
    submit(recalled);
    engine_->recall(recalled.portion);
    ASSERT_TRUE(recalled.wait());
    EXPECT_EQ(recalled.count(Transport::NeverSent), 7u);
    ASSERT_TRUE(late.wait());
    EXPECT_EQ(late.count(Transport::NeverSent), 5u);
    EXPECT_EQ(sent.completions(), 0);
    ASSERT_TRUE(sent.wait());
    engine_->recall(sent.portion);
    EXPECT_EQ(sent.count(Transport::Answered, 200), 9u);
    EXPECT_EQ(server.seen(), 10u);
}

TEST_F(AnEngine, SpreadsOneEndpointOverLoopsUnderLoad) {
    ServerScript script;
    script.reply = [](const SeenRequest&) { return answer(200, "", 2); };
    H2Server server(ca_, script);
    EngineOptions options;
    options.loops = 2;
    const auto engine = make(options);
    EndpointConfig config = config_for(server);
    config.connections_max = 1;
    const Plan plan = plan_for(*engine->add_endpoint(config));
    std::deque<Batch> batches;
    for (int i = 0; i < 8; ++i) submit(*engine, batches.emplace_back(plan, 400, "b" + std::to_string(i) + "-"));
    for (Batch& batch : batches) {
        ASSERT_TRUE(batch.wait());
        EXPECT_EQ(batch.count(Transport::Answered, 200), 400u);
    }
    EXPECT_EQ(server.accepted(), 2);
}

TEST_F(AnEngine, ServesExchangesOfSeveralEndpointsInOnePortion) {
    ServerScript script;
    script.reply = [](const SeenRequest&) { return answer(200); };
    H2Server one(ca_, script), two(ca_, script);
    const Plan plan = plan_for(add(config_for(one)));
    const EndpointId other = add(config_for(two));
    Batch batch(plan, 100);
    for (size_t i = 0; i < 100; i += 3) batch.exchanges[i].endpoint = other;
    batch.exchanges[50].endpoint = 77;
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 99u);
    EXPECT_EQ(batch.count(Transport::Unsendable), 1u);
    EXPECT_EQ(two.seen(), 34u);
    EXPECT_EQ(one.seen(), 65u);
}

TEST_F(AnEngine, RefusesRequestsThatCannotBeValid) {
    H2Server server(ca_, ServerScript{});
    Plan plan = plan_for(add(config_for(server)));
    plan.headers.push_back({"x-token", {{PieceKind::Token, 0, 0}}, false});
    Batch batch(plan, 3);
    batch.exchanges[0].token = "line\nbreak";
    const std::string huge(100'000, 'x');
    batch.exchanges[1].token = huge;
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Unsendable), 2u);
    EXPECT_EQ(batch.count(Transport::Answered, 200), 1u);
    EXPECT_EQ(server.seen(), 1u);
}

TEST_F(AnEngine, SendsNothingWithoutAValidCredential) {
    H2Server server(ca_, ServerScript{});
    Plan plan = plan_for(add(config_for(server)));
    const auto slot = std::make_shared<CredentialSlot>();
    plan.credential = slot;
    Batch none(plan, 2), expired(plan, 2), good(plan, 2);
    submit(none);
    ASSERT_TRUE(none.wait());
    EXPECT_EQ(none.count(Transport::NeverSent), 2u);
    slot->set(std::make_shared<const Credential>(Credential{"Bearer old", 1, clock_.mono_ns() - 1}));
    submit(expired);
    ASSERT_TRUE(expired.wait());
    EXPECT_EQ(expired.count(Transport::NeverSent), 2u);
    slot->set(std::make_shared<const Credential>(Credential{"Bearer new", 2, in(1h)}));
    submit(good);
    ASSERT_TRUE(good.wait());
    EXPECT_EQ(good.count(Transport::Answered, 200), 2u);
}

TEST_F(AnEngine, ExecutesEncodedRequestsAsTheyAre) {
    ServerScript script;
    script.reply = [](const SeenRequest& request) { return answer(201, request.body); };
    H2Server server(ca_, script);
    const Plan plan = plan_for(add(config_for(server)));
    const EncodedRequest encoded{"/wp/abc", "ttl: 60\ncontent-encoding: aes128gcm\n",
                                 std::string_view("\0\1\2body", 7)};
    Batch batch(plan, 1);
    batch.exchanges[0].encoded = &encoded;
    submit(batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.exchanges[0].status, 201);
    const SeenRequest seen = server.journal().at(0);
    EXPECT_EQ(seen.path, "/wp/abc");
    EXPECT_EQ(seen.headers.at("ttl"), "60");
    EXPECT_EQ(seen.headers.at("content-length"), "7");
    EXPECT_EQ(seen.body, encoded.body);
}

TEST_F(AnEngine, AnswersCreditFromStreamsAndWhatWaits) {
    ServerScript script;
    script.streams_max = 50;
    script.reply = [](const SeenRequest&) { return action(Reply::Action::Silence); };
    H2Server server(ca_, script);
    EndpointConfig config = config_for(server);
    config.connections_max = 1;
    const EndpointId endpoint = add(config);
    EXPECT_EQ(engine_->credit(endpoint), 100u);
    EXPECT_EQ(engine_->credit(1000), 0u);
    const Plan plan = plan_for(endpoint);
    Batch batch(plan, 30), more(plan, 100);
    submit(batch);
    EXPECT_TRUE(eventually([&] { return engine_->credit(endpoint) == 15; }));  // 45 of 50 for normal lanes
    submit(more);
    EXPECT_TRUE(eventually([&] { return engine_->credit(endpoint) == 0; }));
    engine_->stop(0);
}

TEST_F(AnEngine, GivesEqualEndpointsTheSameId) {
    EndpointConfig config;
    config.url = "https://localhost:1";
    config.ca_file = ca_.file();
    const EndpointId first = add(config);
    EXPECT_EQ(add(config), first);
    config.partition = "team";
    EXPECT_NE(add(config), first);
    config.url = "ftp://localhost";
    EXPECT_EQ(engine_->add_endpoint(config).error().code, ErrorCode::InvalidArgument);
    config.url = "https://localhost";
    config.ca_file = "/nowhere.pem";
    const Result<EndpointId> missing = engine_->add_endpoint(config);
    ASSERT_FALSE(missing.has_value());
    EXPECT_NE(missing.error().to_string().find("/nowhere.pem"), std::string::npos);
}

}  // namespace belfry::http
