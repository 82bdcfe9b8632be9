// SPDX-License-Identifier: Apache-2.0
// What tests of the engine share: an engine with one loop, a plan like a provider's, and portions that can be waited
// for.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "base/clock.h"
#include "fakes/facades.h"
#include "fakes/h2_server.h"
#include "http/engine.h"

namespace belfry::http {

// Polls for something that happens on other threads; generous, because it only delays failures.
inline bool eventually(const std::function<bool()>& condition,
                       std::chrono::milliseconds within = std::chrono::seconds(10)) {
    const auto end = std::chrono::steady_clock::now() + within;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
}

inline fakes::Reply answer(int status, std::string body = {}, int delay_ms = 0) {
    fakes::Reply reply;
    reply.status = status;
    reply.body = std::move(body);
    reply.delay_ms = delay_ms;
    return reply;
}
inline fakes::Reply action(fakes::Reply::Action what) {
    fakes::Reply reply;
    reply.action = what;
    return reply;
}

// A portion with its exchanges, remembering what it heard.
class Batch final : public PortionOwner {
public:
    Batch(const Plan& plan, size_t n, const std::string& prefix = "t") : exchanges(n), tokens(n) {
        for (size_t i = 0; i < n; ++i) {
            tokens[i] = prefix + std::to_string(i);
            exchanges[i].plan = &plan;
            exchanges[i].endpoint = plan.endpoint;
            exchanges[i].token = tokens[i];
            exchanges[i].index = static_cast<uint32_t>(i);
        }
        portion.exchanges = exchanges;
        portion.owner = this;
    }

    ~Batch() override {
        if (submitted) wait();  // a failed test must not leave the engine with dangling exchanges
    }
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;

    void on_exception(Portion&, Exchange&) noexcept override {
        const std::lock_guard lock(mutex_);
        ++exceptions_;
    }
    void on_complete(Portion&) noexcept override {
        const std::lock_guard lock(mutex_);
        ++completions_;
        changed_.notify_all();
    }
    bool wait(std::chrono::milliseconds within = std::chrono::seconds(60)) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, within, [this] { return completions_ > 0; });
    }
    int exceptions() {
        const std::lock_guard lock(mutex_);
        return exceptions_;
    }
    int completions() {
        const std::lock_guard lock(mutex_);
        return completions_;
    }
    size_t count(Transport transport, int status = 0) const {
        size_t n = 0;
        for (const Exchange& exchange : exchanges)
            n += exchange.transport == transport && (status == 0 || exchange.status == status);
        return n;
    }

    std::vector<Exchange> exchanges;
    std::vector<std::string> tokens;
    Portion portion;
    bool submitted = false;

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int exceptions_ = 0, completions_ = 0;
};

class EngineRig : public ::testing::Test {
protected:
    EngineRig() : engine_(make({})) {}

    std::unique_ptr<Engine> make(const EngineOptions& options) {
        return std::move(*Engine::create(options, clock_, log_, metrics_));
    }
    EndpointConfig config_for(const fakes::H2Server& server) const {
        EndpointConfig config;
        config.url = server.url();
        config.ca_file = ca_.file();
        return config;
    }
    EndpointId add(const EndpointConfig& config) {
        Result<EndpointId> id = engine_->add_endpoint(config);
        EXPECT_TRUE(id.has_value()) << (id ? "" : id.error().to_string());
        return id ? *id : -1;
    }
    void submit(Batch& batch) { submit(*engine_, batch); }
    // Without a time of its own a batch waits long: sanitizers on a busy machine are slow, and that is no fault.
    static void submit(Engine& engine, Batch& batch) {
        batch.submitted = true;
        int64_t& until = batch.portion.unsent_until_mono_ns;
        if (until == 0) until = SystemClock().mono_ns() + 50 * kNsPerSecond;
        engine.submit(batch.portion);
    }
    // Opens a connection and learns the peer's SETTINGS.
    void warm_up(const Plan& plan) {
        Batch batch(plan, 1, "warm");
        submit(batch);
        EXPECT_TRUE(batch.wait());
        EXPECT_EQ(batch.count(Transport::Answered), 1u);
    }
    // POST /push/<token> with {"to":"<token>"}.
    static Plan plan_for(EndpointId endpoint) {
        Plan plan;
        plan.endpoint = endpoint;
        plan.text = "/push/{\"to\":\"\"}application/json";
        plan.path = {{PieceKind::Text, 0, 6}, {PieceKind::TokenPath, 0, 0}};
        plan.body = {{PieceKind::Text, 6, 13}, {PieceKind::TokenJson, 0, 0}, {PieceKind::Text, 13, 15}};
        plan.headers = {{"content-type", {{PieceKind::Text, 15, 31}}, false}};
        plan.keep = {"retry-after"};
        return plan;
    }
    // The same, all of it over one connection.
    Plan one_connection_plan(const fakes::H2Server& server) {
        EndpointConfig config = config_for(server);
        config.connections_max = 1;
        return plan_for(add(config));
    }
    double metric(const std::string& name, const fakes::H2Server& server) {
        return metrics_.value(name, {{"endpoint", "localhost:" + std::to_string(server.port())}});
    }
    int64_t in(std::chrono::milliseconds wait) const {
        return clock_.mono_ns() + std::chrono::nanoseconds(wait).count();
    }

    SystemClock clock_;
    fakes::QuietLog log_;
    fakes::MemoryMetrics metrics_;
    fakes::TestCa ca_;
    std::unique_ptr<Engine> engine_;
};

}  // namespace belfry::http
