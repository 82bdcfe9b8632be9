// SPDX-License-Identifier: Apache-2.0
// The whole simulator on loopback: files, ports, the control port, the sink.
#include "simulator.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "testing/blocking_client.h"

namespace belfry::simulator {
namespace {

using nlohmann::json;

class SimulatorTest : public testing::Test {
protected:
    SimulatorTest() {
        std::signal(SIGPIPE, SIG_IGN);
        options_.dir =
            std::filesystem::temp_directory_path() / ("belfry-simulator-test-" + std::to_string(getpid()) +
                                                      testing::UnitTest::GetInstance()->current_test_info()->name());
        options_.projects = {"demo"};
        options_.sink = true;
    }
    ~SimulatorTest() override {
        simulator_.reset();
        std::filesystem::remove_all(options_.dir);
    }

    void start() {
        simulator_.reset();
        simulator_ = std::make_unique<Simulator>(options_);
        std::ifstream file(options_.dir + "/simulator.json");
        urls_ = json::parse(file);
    }

    std::string url(const char* name) const { return urls_.at(name).get<std::string>(); }

    json control(const std::string& method, const std::string& path, const std::string& body = {}) {
        const PlainAnswer answer = http1(url("control_url"), method, path, body);
        EXPECT_EQ(answer.status, 200) << method << ' ' << path << ": " << answer.body;
        return json::parse(answer.body, nullptr, false);
    }

    bool connect(BlockingSocket& socket, const char* name, const char* alpn = "h2") {
        return socket.connect(url(name)) && socket.start_tls(url("ca_file"), alpn);
    }

    // What a listener was told takes effect when its thread comes to it.
    static bool eventually(const std::function<bool()>& holds) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!holds()) {
            if (std::chrono::steady_clock::now() > end) return false;
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
        return true;
    }

    // Sends `requests` to the sink and checks every answer.
    void drain_sink(const std::vector<nghttp2_settings_entry>& settings, std::size_t requests) {
        BlockingSocket socket;
        ASSERT_TRUE(connect(socket, "fcm_url"));
        BlockingH2Client client(socket, settings);
        for (std::size_t i = 0; i < requests; ++i) client.post("/x", "{\"a\":1}");
        ASSERT_TRUE(client.run([&] { return client.closed == requests; })) << client.closed << " answers";
        for (const auto& [id, answer] : client.answers) {
            ASSERT_EQ(answer.error, 0U) << id;
            ASSERT_EQ(answer.headers.at(":status"), "200") << id;
            ASSERT_EQ(answer.headers.at("content-type"), "application/json") << id;
            ASSERT_TRUE(json::parse(answer.body, nullptr, false).contains("name")) << id;
        }
    }

    Options options_;
    std::unique_ptr<Simulator> simulator_;
    json urls_;
};

TEST_F(SimulatorTest, KeepsItsKeysAndHidesThemFromOthers) {
    start();
    std::ifstream first_file(url("service_account"));
    const json first = json::parse(first_file);
    EXPECT_EQ(first["token_uri"], url("token_url"));
    for (const auto& entry : std::filesystem::directory_iterator(options_.dir)) {
        struct stat info {};
        ASSERT_EQ(stat(entry.path().c_str(), &info), 0);
        EXPECT_EQ(info.st_mode & 077U, 0U) << entry.path();
    }
    start();
    std::ifstream second_file(url("service_account"));
    const json second = json::parse(second_file);
    EXPECT_EQ(second["private_key"], first["private_key"]);
    EXPECT_EQ(second["token_uri"], url("token_url"));
}

TEST_F(SimulatorTest, RefusesAFolderThatIsInUse) {
    start();
    EXPECT_THROW(Simulator second(options_), std::runtime_error);
}

TEST_F(SimulatorTest, TakesItsDescriptionAwayWhenItStops) {
    start();
    EXPECT_TRUE(std::filesystem::exists(options_.dir + "/simulator.json"));
    simulator_.reset();
    EXPECT_FALSE(std::filesystem::exists(options_.dir + "/simulator.json"));
}

TEST_F(SimulatorTest, ServesHttp1WithKeepAliveBesideHttp2) {
    start();
    BlockingSocket socket;
    ASSERT_TRUE(connect(socket, "strict_url", "http/1.1"));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(http1(socket, "POST", "/batch").status, 404);
    BlockingSocket modern;
    ASSERT_TRUE(connect(modern, "strict_url"));
    BlockingH2Client client(modern, {});
    const auto id = client.post("/v1/projects/demo/messages:send", "{}");
    ASSERT_TRUE(client.run([&] { return client.closed == 1; }));
    EXPECT_EQ(client.answers[id].headers[":status"], "400");
    const json counters = control("GET", "/counters");
    EXPECT_EQ(counters["handshakes"], 2);
    EXPECT_EQ(counters["requests"], 4);
}

TEST_F(SimulatorTest, AnswersControlCallsAndNamesMistakes) {
    start();
    EXPECT_EQ(control("GET", "/health")["status"], "ok");
    EXPECT_EQ(control("PUT", "/config", R"({"latency_ms":1})")["latency_ms"], 1);
    EXPECT_EQ(control("POST", "/faults", R"({"action":"rst","code":"CANCEL"})")["faults"].size(), 1U);
    EXPECT_EQ(control("DELETE", "/faults")["faults"].size(), 0U);
    EXPECT_EQ(control("GET", "/tokens/summary")["distinct"], 0);
    EXPECT_EQ(control("GET", "/phones")["total"], 0);
    EXPECT_EQ(control("GET", "/journal")["total"], 0);
    for (const char* path : {"/faults", "/config"}) {
        const PlainAnswer wrong = http1(url("control_url"), path[1] == 'f' ? "POST" : "PUT", path, "not json");
        EXPECT_EQ(wrong.status, 400);
        EXPECT_TRUE(json::parse(wrong.body).contains("error"));
    }
    EXPECT_EQ(http1(url("control_url"), "GET", "/nothing").status, 404);
}

TEST_F(SimulatorTest, RefusesAndAcceptsConnectionsAgain) {
    start();
    control("POST", "/faults", R"({"action":"refuse_connects"})");
    EXPECT_TRUE(eventually([&] { return !BlockingSocket().connect(url("strict_url")); }));
    control("DELETE", "/faults");
    EXPECT_TRUE(eventually([&] {
        BlockingSocket probe;
        return connect(probe, "strict_url");
    }));
}

TEST_F(SimulatorTest, StallsTheHandshakeWhenTold) {
    start();
    control("POST", "/faults", R"({"action":"tls_stall","match":{"next":1}})");
    BlockingSocket stalled;
    EXPECT_FALSE(connect(stalled, "strict_url"));
    BlockingSocket next;
    EXPECT_TRUE(connect(next, "strict_url"));
    EXPECT_EQ(control("GET", "/counters")["connections_stalled_at_accept"], 1);
}

TEST_F(SimulatorTest, RetiresIdleConnections) {
    start();
    control("PUT", "/config", R"({"connection_max_idle_ms":1})");
    BlockingSocket socket;
    ASSERT_TRUE(connect(socket, "strict_url"));
    BlockingH2Client client(socket, {});
    EXPECT_FALSE(client.run([] { return false; }));
    const json counters = control("GET", "/counters");
    EXPECT_EQ(counters["handshakes"], 1);
}

TEST_F(SimulatorTest, SinkAnswersThroughWindowsThatRunOut) {
    start();
    // 81 bytes each: 3000 answers need three times the connection window that HTTP/2 starts with.
    drain_sink({}, 3000);
    EXPECT_EQ(control("GET", "/counters")["sink"]["requests"], 3000);
    control("POST", "/reset");
    EXPECT_EQ(control("GET", "/counters")["sink"]["requests"], 0);
}

TEST_F(SimulatorTest, SinkSpeaksToClientsWithoutHeaderTable) {
    start();
    drain_sink({{NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 0}}, 300);
}

TEST_F(SimulatorTest, SinkEndsConnectionsWhoseStreamWindowIsTooSmall) {
    start();
    BlockingSocket socket;
    ASSERT_TRUE(connect(socket, "fcm_url"));
    BlockingH2Client client(socket, {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 10}});
    client.post("/x", "{}");
    EXPECT_FALSE(client.run([&] { return client.closed == 1 && client.answers[1].error == 0; }));
}

TEST_F(SimulatorTest, SinkNotesWhenLongBodiesCame) {
    start();
    control("PUT", "/config", R"({"sink_note_bytes":100})");
    BlockingSocket socket;
    ASSERT_TRUE(connect(socket, "fcm_url"));
    BlockingH2Client client(socket, {});
    client.post("/x", std::string(99, 'x'));
    client.post("/x", std::string(130, 'x'));
    ASSERT_TRUE(client.run([&] { return client.closed == 2; }));
    const json notes = control("GET", "/counters")["sink"]["notes"];
    ASSERT_EQ(notes.size(), 1u);
    EXPECT_EQ(notes[0][0], 130);
    EXPECT_GT(notes[0][1], 0);
    control("POST", "/reset");
    EXPECT_TRUE(control("GET", "/counters")["sink"]["notes"].empty());
}

TEST_F(SimulatorTest, SinkHonoursTheLatency) {
    options_.latency_ms = 60;
    start();
    const auto begin = std::chrono::steady_clock::now();
    drain_sink({}, 50);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(60));
}

}  // namespace
}  // namespace belfry::simulator
