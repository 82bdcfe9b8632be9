// SPDX-License-Identifier: Apache-2.0
// A busy loop takes no memory: every call of malloc in this program is counted by thread, and a loop that sends what it
// has sent before must not have made any. OpenSSL's own are left out: it takes 40 bytes for every TLS record it writes,
// which is one for some thirty requests.
#include <openssl/crypto.h>

#include <cstdlib>
#include <vector>

#include "http/engine_rig.h"

extern "C" {
// What glibc's own malloc is called when a program brings another.
void* __libc_malloc(size_t n);                // NOLINT
void* __libc_calloc(size_t count, size_t n);  // NOLINT
void* __libc_realloc(void* block, size_t n);  // NOLINT
}

namespace {
thread_local uint64_t allocations = 0;
}

extern "C" {
void* malloc(size_t n) {
    ++allocations;
    return __libc_malloc(n);
}
void* calloc(size_t count, size_t n) {
    ++allocations;
    return __libc_calloc(count, n);
}
void* realloc(void* block, size_t n) {
    ++allocations;
    return __libc_realloc(block, n);
}
}

namespace {

// Before anything of OpenSSL runs.
const int openssl_is_not_counted =
    CRYPTO_set_mem_functions([](size_t n, const char*, int) { return __libc_malloc(n); },
                             [](void* block, size_t n, const char*, int) { return __libc_realloc(block, n); },
                             [](void* block, const char*, int) { std::free(block); });

}  // namespace

namespace belfry::http {
namespace {

constexpr size_t kExchanges = 250;
constexpr int kWarmRounds = 60;  // until buffers and free lists have their size
constexpr int kRounds = 40;

// Sends the same exchanges again and again, and notes how much the loop's thread has allocated.
class Rounds final : public PortionOwner {
public:
    Rounds(Engine& engine, const Plan& plan) : engine_(engine), exchanges_(kExchanges), tokens_(kExchanges) {
        for (size_t i = 0; i < kExchanges; ++i) {
            tokens_[i] = "token-" + std::to_string(1000 + i);
            exchanges_[i].plan = &plan;
            exchanges_[i].endpoint = plan.endpoint;
            exchanges_[i].token = tokens_[i];
        }
    }
    void on_exception(Portion&, Exchange&) noexcept override { ++exceptions_; }
    void on_complete(Portion&) noexcept override {
        const std::lock_guard lock(mutex_);
        on_loop_ = allocations;
        ++completed_;
        changed_.notify_all();
    }

    // What the loop has allocated in its life after `n` more rounds.
    uint64_t run(int n) {
        for (int round = 0; round < n; ++round) {
            for (Exchange& exchange : exchanges_) {
                exchange.transport = Transport::Pending;
                exchange.phase = exchange.replays = 0;
            }
            Portion portion;
            portion.exchanges = exchanges_;
            portion.owner = this;
            std::unique_lock lock(mutex_);
            const int before = completed_;
            engine_.submit(portion);
            changed_.wait(lock, [&] { return completed_ > before; });
        }
        return on_loop_;
    }
    int exceptions() const { return exceptions_; }
    std::string header_of_last() const {
        std::string line;
        exchanges_.back().each_header(
            [&](std::string_view name, std::string_view value) { line.append(name).append(": ").append(value); });
        return line;
    }

private:
    Engine& engine_;
    std::vector<Exchange> exchanges_;
    std::vector<std::string> tokens_;
    std::mutex mutex_;
    std::condition_variable changed_;
    uint64_t on_loop_ = 0;
    int completed_ = 0, exceptions_ = 0;
};

using MemoryOfAnEngine = EngineRig;

TEST_F(MemoryOfAnEngine, IsNotAskedForByRequestsInTheSteadyState) {
    fakes::ServerScript script;
    script.reply = [](const fakes::SeenRequest& request) {
        fakes::Reply reply = answer(200, R"({"name":"projects/p/messages/0:1"})");
        reply.headers = {{"x-id", request.path}};
        return reply;
    };
    fakes::H2Server server(ca_, script);
    EndpointConfig config = config_for(server);
    config.connections_max = 1;
    Plan plan = plan_for(add(config));
    plan.keep = {"retry-after", "x-id"};
    auto slot = std::make_shared<CredentialSlot>();
    slot->set(std::make_shared<const Credential>(Credential{"Bearer " + std::string(200, 'x'), 1, 0}));
    plan.credential = slot;
    Rounds rounds(*engine_, plan);
    const uint64_t before = rounds.run(kWarmRounds);
    const uint64_t after = rounds.run(kRounds);
    EXPECT_EQ(openssl_is_not_counted, 1);
    EXPECT_GT(before, 0u) << "nothing is counted";
    EXPECT_EQ(rounds.exceptions(), 0);
    EXPECT_EQ(rounds.header_of_last(), "x-id: /push/token-1249");
    EXPECT_EQ(after - before, 0u) << "in " << kRounds * kExchanges << " requests";
}

}  // namespace
}  // namespace belfry::http
