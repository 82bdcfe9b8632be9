// SPDX-License-Identifier: Apache-2.0
// Stopping the engine in every state of its connections: what is unsent goes back, nothing waits longer than it must.
#include <atomic>
#include <future>

#include "fakes/raw_server.h"
#include "http/engine_rig.h"

namespace belfry::http {

using namespace std::chrono_literals;
using fakes::H2Server;
using fakes::RawPeer;
using fakes::RawScript;
using fakes::RawServer;
using fakes::Reply;
using fakes::SeenRequest;
using fakes::ServerScript;

class AStoppingEngine : public EngineRig {
protected:
    // Stops `engine` while a connection is being set up, `begun` says from when on: at once, with the requests unsent.
    void stop_in_setup(Engine& engine, const EndpointConfig& config, const std::function<bool()>& begun) {
        const Plan plan = plan_for(*engine.add_endpoint(config));
        Batch batch(plan, 5);
        batch.portion.unsent_until_mono_ns = in(60s);
        submit(engine, batch);
        ASSERT_TRUE(eventually(begun));
        const int64_t start = clock_.mono_ns();
        engine.stop(in(30s));
        EXPECT_LT(clock_.mono_ns() - start, 5 * kNsPerSecond);
        EXPECT_EQ(batch.completions(), 1);
        EXPECT_EQ(batch.count(Transport::NeverSent), 5u);
    }
};

TEST_F(AStoppingEngine, WaitsForAnswersUntilTheDeadline) {
    ServerScript script;
    script.streams_max = 10;
    script.reply = [](const SeenRequest& request) {
        return request.path == "/push/t0" ? action(Reply::Action::Silence) : answer(200, "", 50);
    };
    H2Server server(ca_, script);
    const Plan plan = one_connection_plan(server);
    Batch batch(plan, 100), after(plan, 3);
    warm_up(plan);
    submit(batch);
    ASSERT_TRUE(eventually([&] { return server.seen() == 10; }));
    engine_->stop(in(500ms));
    EXPECT_EQ(batch.completions(), 1);
    EXPECT_EQ(batch.count(Transport::Answered, 200), 8u);
    EXPECT_EQ(batch.count(Transport::Unknown), 1u);
    EXPECT_EQ(batch.count(Transport::NeverSent), 91u);
    submit(after);
    EXPECT_EQ(after.completions(), 1);
    EXPECT_EQ(after.count(Transport::NeverSent), 3u);
    EXPECT_TRUE(eventually([&] { return server.open_connections() == 0; }));
}

TEST_F(AStoppingEngine, LeavesATlsHandshake) {
    ServerScript mute;
    mute.handshake = false;
    H2Server server(ca_, mute);
    stop_in_setup(*engine_, config_for(server), [&] { return server.accepted() == 1; });
    EXPECT_EQ(metric("http_connect_failures_total", server), 0) << "it was not the peer's fault";
}

TEST_F(AStoppingEngine, LeavesATunnel) {
    std::atomic<bool> asked{false};
    RawScript script;
    script.serve = [&](RawPeer& peer) {
        asked = !peer.read_until("\r\n\r\n").empty();
        peer.wait();
    };
    RawServer proxy(std::move(script));
    EndpointConfig config;
    config.url = "https://push.example";
    config.proxy.url = proxy.url();
    stop_in_setup(*engine_, config, [&] { return asked.load(); });
    EXPECT_TRUE(eventually([&] { return proxy.open() == 0; }));
}

TEST_F(AStoppingEngine, LeavesANameLookup) {
    std::promise<void> answer_it;
    std::atomic<bool> asked{false};
    EngineOptions options;
    options.addresses_of = [&, answered = answer_it.get_future().share()](const std::string&) {
        asked = true;
        answered.wait();
        return std::vector<std::string>{"127.0.0.1"};
    };
    const auto engine = make(options);
    EndpointConfig config;
    config.url = "https://push.example";
    stop_in_setup(*engine, config, [&] { return asked.load(); });
    answer_it.set_value();  // too late: nobody waits for it any more
    EXPECT_EQ(metrics_.value("http_connect_failures_total", {{"endpoint", "push.example"}}), 0);
}

}  // namespace belfry::http
