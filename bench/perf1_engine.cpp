// SPDX-License-Identifier: Apache-2.0
// The client of PERF-1: one engine loop keeps 4 connections busy with APNs-shaped requests, each with its own path and
// body.
//
// usage: perf1_engine URL CA_FILE [SECONDS [CONNECTIONS]]; prints requests, seconds and CPU time as one line of JSON.
#include <sys/resource.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "fakes/facades.h"
#include "http/engine.h"

namespace {

using namespace belfry;
using namespace belfry::http;

constexpr size_t kPortions = 8;
constexpr size_t kPerPortion = 250;
constexpr size_t kTokenLength = 64;
constexpr size_t kBodyLength = 300;
constexpr double kWarmUpSeconds = 0.5;

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// A portion that goes out again and again, with fresh tokens.
struct Wave {
    explicit Wave(const Plan& plan) : exchanges(kPerPortion), tokens(kPerPortion, std::string(kTokenLength, 'a')) {
        for (size_t i = 0; i < kPerPortion; ++i) {
            exchanges[i].plan = &plan;
            exchanges[i].endpoint = plan.endpoint;
            exchanges[i].token = tokens[i];
        }
        portion.exchanges = exchanges;
    }
    void renew(uint64_t& serial) {
        for (std::string& token : tokens) {
            uint64_t left = serial++;
            for (size_t at = 0; at < 16; ++at, left >>= 4) token[at] = "0123456789abcdef"[left & 15];
        }
    }
    std::vector<Exchange> exchanges;
    std::vector<std::string> tokens;
    Portion portion;
};

class Feeder final : public PortionOwner {
public:
    void on_exception(Portion&, Exchange&) noexcept override { ++failures; }
    void on_complete(Portion& portion) noexcept override {
        const std::lock_guard lock(mutex_);
        done_.push_back(&portion);
        changed_.notify_one();
    }
    Portion* next() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !done_.empty(); });
        Portion* portion = done_.front();
        done_.pop_front();
        return portion;
    }
    std::atomic<uint64_t> failures{0};

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Portion*> done_;
};

Plan make_plan(EndpointId endpoint) {
    Plan plan;
    plan.endpoint = endpoint;
    const auto text = [&plan](const std::string& piece) {
        const auto from = static_cast<uint32_t>(plan.text.size());
        plan.text += piece;
        return Piece{PieceKind::Text, from, static_cast<uint32_t>(plan.text.size())};
    };
    plan.path = {text("/3/device/"), {PieceKind::Token, 0, 0}};
    const std::string head = R"({"message":{"token":")", tail = R"("}})";
    const std::string filler = R"(","notification":{"body":")";
    const size_t rest = kBodyLength - kTokenLength - head.size() - tail.size() - filler.size();
    plan.body = {text(head), {PieceKind::TokenJson, 0, 0}, text(filler + std::string(rest, 'b') + tail)};
    plan.headers = {{"apns-topic", {text("com.example.application")}, false},
                    {"apns-push-type", {text("alert")}, false},
                    {"content-type", {text("application/json")}, false}};
    const auto slot = std::make_shared<CredentialSlot>();
    slot->set(std::make_shared<const Credential>(Credential{"bearer " + std::string(193, 'x'), 1, 0}));
    plan.credential = slot;
    return plan;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: perf1_engine URL CA_FILE [SECONDS [CONNECTIONS]]\n");
        return 2;
    }
    const double seconds = argc > 3 ? std::atof(argv[3]) : 3;
    const SystemClock clock;
    fakes::QuietLog log;
    fakes::MemoryMetrics metrics;
    const auto engine = std::move(*Engine::create({}, clock, log, metrics));
    EndpointConfig config;
    config.url = argv[1];
    config.ca_file = argv[2];
    config.connections_max = argc > 4 ? static_cast<uint32_t>(std::atoi(argv[4])) : 4;
    const Result<EndpointId> endpoint = engine->add_endpoint(config);
    if (!endpoint) {
        std::fprintf(stderr, "perf1_engine: %s\n", endpoint.error().to_string().c_str());
        return 1;
    }
    const Plan plan = make_plan(*endpoint);
    Feeder feeder;
    std::deque<Wave> waves;
    uint64_t serial = 0;
    for (size_t i = 0; i < kPortions; ++i) {
        Wave& wave = waves.emplace_back(plan);
        wave.portion.owner = &feeder;
        wave.renew(serial);
        engine->submit(wave.portion);
    }
    const auto wave_of = [&waves](const Portion* portion) -> Wave& {
        for (Wave& wave : waves) {
            if (&wave.portion == portion) return wave;
        }
        std::abort();
    };
    const int64_t start = clock.mono_ns();
    int64_t measured_from = 0;
    double cpu = 0;
    uint64_t finished = 0;
    while (true) {
        Wave& wave = wave_of(feeder.next());
        const int64_t now = clock.mono_ns();
        const double elapsed = static_cast<double>(now - start) / 1e9;
        if (measured_from == 0 && elapsed >= kWarmUpSeconds) {
            measured_from = now;
            cpu = cpu_seconds();
            finished = 0;
        } else {
            finished += kPerPortion;
        }
        if (measured_from != 0 && static_cast<double>(now - measured_from) / 1e9 >= seconds) break;
        wave.renew(serial);
        engine->submit(wave.portion);
    }
    const double wall = static_cast<double>(clock.mono_ns() - measured_from) / 1e9;
    cpu = cpu_seconds() - cpu;
    const uint64_t failures = feeder.failures;  // what stop gives back is none
    engine->stop(clock.mono_ns() + kNsPerSecond);
    const std::string problem = engine->last_connect_error(*endpoint);
    std::printf("{\"requests_per_s\": %.0f, \"cpu_us\": %.3f, \"failures\": %llu, \"problem\": \"%s\"}\n",
                static_cast<double>(finished) / wall, cpu / static_cast<double>(finished) * 1e6,
                static_cast<unsigned long long>(failures), problem.c_str());
    return failures == 0 ? 0 : 1;
}
