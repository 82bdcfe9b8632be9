// SPDX-License-Identifier: Apache-2.0
// An H2Session and an nghttp2 client joined in memory, with a backend the test scripts.
#pragma once

#include <nghttp2/nghttp2.h>

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "net/h2_session.h"

namespace belfry::simulator {

class ScriptedBackend final : public Backend {
public:
    Plan handle(Request&& request) override {
        handled.push_back(request.stream);
        return script ? script(request) : Plan{{200, {{"content-type", "text/plain"}}, "hello"}};
    }
    WireSettings wire_settings(std::uint64_t) override { return wire; }
    void on_connection_event(std::uint64_t, ConnectionEvent event) override { ++events[event]; }
    void on_streams_open(std::uint64_t, std::uint32_t open) override { high_water = std::max(high_water, open); }

    std::function<Plan(const Request&)> script;
    WireSettings wire;
    std::vector<std::int32_t> handled;
    std::map<ConnectionEvent, int> events;
    std::uint32_t high_water = 0;
};

class H2Pair final : public SessionHost {
public:
    struct Answer {
        std::string status;
        std::map<std::string, std::string> headers;
        std::string body;
        bool closed = false;
        std::uint32_t error = 0;
    };

    H2Pair();
    ~H2Pair() override;
    H2Pair(const H2Pair&) = delete;
    H2Pair& operator=(const H2Pair&) = delete;

    // The stream's id; nothing is sent before exchange().
    std::int32_t post(const std::string& path, const std::string& body = "{}");
    std::int32_t post_headers_only(const std::string& path);
    // Moves bytes both ways until both sides are quiet.
    void exchange();
    void client_to_server();
    void server_to_client();
    // Runs what the session asked to be done later, in order of its delay.
    void run_delayed();

    [[nodiscard]] std::uint64_t id() const override { return 1; }
    [[nodiscard]] Backend& backend() override { return scripted; }
    void later(std::chrono::milliseconds delay, std::function<void(Session&)> task) override;
    void reset_tcp() override { tcp_reset = true; }
    void go_silent() override { silent = true; }

    ScriptedBackend scripted;
    std::map<std::int32_t, Answer> answers;
    std::multimap<std::chrono::milliseconds, std::function<void(Session&)>> delayed;
    std::vector<std::uint32_t> announced_limits;
    std::int32_t goaway_last = -1;
    std::uint32_t goaway_error = 0;
    std::string goaway_debug;
    bool tcp_reset = false;
    bool silent = false;
    std::unique_ptr<H2Session> server;

private:
    friend struct PairCallbacks;
    std::int32_t submit(const std::string& path, bool with_body);

    nghttp2_session* client_ = nullptr;
    std::map<std::int32_t, std::string> bodies_;
};

}  // namespace belfry::simulator
