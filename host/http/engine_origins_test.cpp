// SPDX-License-Identifier: Apache-2.0
// Names, addresses and many origins: where a connection goes, and that thousands of origins cost a bounded number of
// descriptors and bytes.
#include <netinet/in.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "base/handles.h"
#include "fakes/raw_server.h"
#include "http/endpoint_table.h"
#include "http/engine_rig.h"

namespace belfry::http {

using namespace std::chrono_literals;
using fakes::H2Server;
using fakes::RawPeer;
using fakes::RawScript;
using fakes::RawServer;
using fakes::ServerScript;

class Origins : public EngineRig {
protected:
    // An engine for which every name has the addresses that `addresses` says at that time.
    std::unique_ptr<Engine> engine_with(EngineOptions options = {}) {
        options.addresses_of = [this](const std::string& host) {
            const std::lock_guard lock(mutex_);
            lookups_.push_back(host);
            return addresses_;
        };
        return make(options);
    }
    void set_addresses(std::vector<std::string> addresses) {
        const std::lock_guard lock(mutex_);
        addresses_ = std::move(addresses);
    }
    size_t lookups() {
        const std::lock_guard lock(mutex_);
        return lookups_.size();
    }
    // One request; true if it was answered.
    bool reach(Engine& engine, const Plan& plan, std::chrono::milliseconds within = 10s) {
        Batch batch(plan, 1);
        batch.portion.unsent_until_mono_ns = in(within);
        submit(engine, batch);
        EXPECT_TRUE(batch.wait());
        return batch.count(Transport::Answered, 200) == 1;
    }

private:
    std::mutex mutex_;
    std::vector<std::string> addresses_, lookups_;
};

// A socket of 127.0.0.x that does not listen.
UniqueFd bound_to(uint32_t host, uint16_t port) {
    UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(host);
    address.sin_port = htons(port);
    EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0) << "taken by another process";
    return fd;
}

TEST_F(Origins, FallBackFromOneAddressFamilyToTheOther) {
    H2Server v4(ca_, ServerScript{});
    set_addresses({"::1", "127.0.0.1"});
    const auto engine = engine_with();
    const Plan plan = plan_for(*engine->add_endpoint(config_for(v4)));
    EXPECT_TRUE(reach(*engine, plan));
    RawScript script;
    script.ca = &ca_;
    script.ipv6 = true;
    script.serve = [](RawPeer& peer) {
        while (!peer.read_request().empty()) peer.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    };
    RawServer v6(std::move(script));
    const UniqueFd nobody = bound_to(INADDR_LOOPBACK, v6.port());  // and nobody else
    set_addresses({"127.0.0.1", "::1"});
    EndpointConfig config = config_for(v4);
    config.url = v6.url();
    config.http1_ok = true;
    const Plan other = plan_for(*engine->add_endpoint(config));
    EXPECT_TRUE(reach(*engine, other));
}

TEST_F(Origins, WaitForADeadAddressFamilyOnlyOnce) {
    H2Server v4(ca_, ServerScript{});
    // A listener whose queue is full: connecting to it hangs.
    const UniqueFd full(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    address.sin6_port = htons(v4.port());
    auto* there = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(bind(full.get(), there, sizeof address), 0);
    ASSERT_EQ(listen(full.get(), 0), 0);
    std::vector<UniqueFd> fillers;
    for (int i = 0; i < 4; ++i) {
        fillers.emplace_back(socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        static_cast<void>(connect(fillers.back().get(), there, sizeof address));
    }
    set_addresses({"::1", "127.0.0.1"});
    EngineOptions options;
    options.attempt_timeout_ms = 1500;
    const auto engine = engine_with(options);
    const EndpointId endpoint = *engine->add_endpoint(config_for(v4));
    const Plan plan = plan_for(endpoint);
    const int64_t start = clock_.mono_ns();
    EXPECT_TRUE(reach(*engine, plan));
    const int64_t first = clock_.mono_ns();
    EXPECT_GE(first - start, 1500 * kNsPerMs);
    engine->retire(endpoint);
    ASSERT_TRUE(eventually([&] { return v4.open_connections() == 0; }));
    const int64_t again = clock_.mono_ns();
    EXPECT_TRUE(reach(*engine, plan));
    EXPECT_LT(clock_.mono_ns() - again, 1500 * kNsPerMs);
    EXPECT_EQ(v4.accepted(), 2);
}

TEST_F(Origins, AreTriedAtOnceWhenTheyAreDeclaredAgain) {
    H2Server server(ca_, ServerScript{});
    const UniqueFd nobody = bound_to(INADDR_LOOPBACK + 1, server.port());  // 127.0.0.2
    set_addresses({"127.0.0.2"});
    const auto engine = engine_with();
    const EndpointId endpoint = *engine->add_endpoint(config_for(server));
    const Plan plan = plan_for(endpoint);
    Batch batch(plan, 1);
    batch.portion.unsent_until_mono_ns = in(30s);
    submit(*engine, batch);
    ASSERT_TRUE(eventually([&] { return metric("http_connect_failures_total", server) >= 7; }, 30s));
    EXPECT_EQ(engine->credit(endpoint), 0u) << "it waits for 3 s at least";
    set_addresses({"127.0.0.1"});
    const int64_t start = clock_.mono_ns();
    ASSERT_EQ(*engine->add_endpoint(config_for(server)), endpoint);
    EXPECT_GT(engine->credit(endpoint), 0u);
    EXPECT_TRUE(reach(*engine, plan));
    EXPECT_LT(clock_.mono_ns() - start, 3 * kNsPerSecond);
    EXPECT_TRUE(batch.wait());
}

TEST_F(Origins, AvoidAnAddressAsOftenAsItFailedHoweverManyConnectionsTriedIt) {
    H2Server server(ca_, ServerScript{});
    const UniqueFd mute = bound_to(INADDR_LOOPBACK + 1, server.port());  // 127.0.0.2
    ASSERT_EQ(listen(mute.get(), 8), 0);
    set_addresses({"127.0.0.2", "127.0.0.1"});
    EngineOptions options;
    options.connect_timeout_ms = 700;
    const auto engine = engine_with(options);
    EndpointConfig config = config_for(server);
    config.connections_max = 2;  // both begin with the dead one: in lock-step they would begin with it again
    const EndpointId endpoint = *engine->add_endpoint(config);
    EXPECT_TRUE(reach(*engine, plan_for(endpoint), 30s)) << engine->last_connect_error(endpoint);
    EXPECT_LE(metric("http_connect_failures_total", server), 2);
}

TEST_F(Origins, LeaveAnAddressThatAcceptsConnectionsAndServesNone) {
    H2Server server(ca_, ServerScript{});
    const UniqueFd mute = bound_to(INADDR_LOOPBACK + 1, server.port());  // 127.0.0.2
    ASSERT_EQ(listen(mute.get(), 8), 0);
    set_addresses({"127.0.0.2", "127.0.0.1"});
    EngineOptions options;
    options.connect_timeout_ms = 1000;
    const auto engine = engine_with(options);
    const EndpointId endpoint = *engine->add_endpoint(config_for(server));
    const Plan plan = plan_for(endpoint);
    EXPECT_TRUE(reach(*engine, plan, 30s)) << engine->last_connect_error(endpoint);
    engine->retire(endpoint);
    ASSERT_TRUE(eventually([&] { return server.open_connections() == 0; }));
    EXPECT_TRUE(reach(*engine, plan, 30s));
    EXPECT_LE(metric("http_connect_failures_total", server), 3) << "the one that works is remembered";
}

TEST_F(Origins, AreLookedUpForEveryConnection) {
    H2Server server(ca_, ServerScript{});
    set_addresses({"127.0.0.1"});
    const auto engine = engine_with();
    const EndpointId endpoint = *engine->add_endpoint(config_for(server));
    const Plan plan = plan_for(endpoint);
    EXPECT_TRUE(reach(*engine, plan));
    EXPECT_TRUE(reach(*engine, plan));
    EXPECT_EQ(lookups(), 1u);
    set_addresses({"127.0.0.7"});  // the name moved to where nothing listens
    engine->retire(endpoint);
    ASSERT_TRUE(eventually([&] { return server.open_connections() == 0; }));
    EXPECT_FALSE(reach(*engine, plan, 200ms));
    EXPECT_NE(engine->last_connect_error(endpoint).find("refused"), std::string::npos);
    EXPECT_GE(lookups(), 2u);
    set_addresses({"127.0.0.1"});
    EXPECT_TRUE(reach(*engine, plan));
    set_addresses({});
    engine->retire(endpoint);
    ASSERT_TRUE(eventually([&] { return server.open_connections() == 0; }));
    EXPECT_FALSE(reach(*engine, plan, 200ms));
    EXPECT_NE(engine->last_connect_error(endpoint).find("cannot be resolved"), std::string::npos);
}

// What a hostile name server would do: a public address at first, ours at the next look-up.
TEST_F(Origins, ThatRebindToPrivateAddressesAreNotConnectedTo) {
    H2Server server(ca_, ServerScript{});
    const auto engine = engine_with();
    EndpointConfig config = config_for(server);
    config.untrusted = true;
    const EndpointId endpoint = *engine->add_origin(*engine->add_endpoint(config), server.url("rebind.example"));
    const Plan plan = plan_for(endpoint);
    for (const std::vector<std::string>& addresses : {std::vector<std::string>{"127.0.0.1"},
                                                      {"93.184.216.34", "127.0.0.1"},
                                                      {"::ffff:127.0.0.1"},
                                                      {"169.254.169.254"}}) {
        set_addresses(addresses);
        EXPECT_FALSE(reach(*engine, plan, 150ms));
    }
    EXPECT_NE(engine->last_connect_error(endpoint).find("no address that may be connected to"), std::string::npos);
    EXPECT_EQ(server.accepted(), 0);
}

// As if descriptors had run out: an idle connection gives way to one that is needed.
TEST_F(Origins, CloseAnIdleConnectionWhenDescriptorsRunOut) {
    H2Server server(ca_, ServerScript{});
    set_addresses({"127.0.0.1"});
    const auto engine = engine_with();
    EndpointConfig config = config_for(server);
    std::vector<EndpointId> endpoints;
    for (int i = 0; i < 5; ++i) {
        config.partition = std::to_string(i);
        endpoints.push_back(*engine->add_endpoint(config));
    }
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(reach(*engine, plan_for(endpoints[static_cast<size_t>(i)])));
    EXPECT_EQ(server.open_connections(), 4);
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit low = before;
    low.rlim_cur = 256;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
    std::vector<UniqueFd> fillers;
    for (int fd = 0; (fd = dup(STDERR_FILENO)) >= 0;) fillers.emplace_back(fd);
    const Plan last = plan_for(endpoints[4]);
    Batch batch(last, 1);
    batch.portion.unsent_until_mono_ns = in(10s);
    submit(*engine, batch);
    const bool complete = batch.wait();
    fillers.clear();
    setrlimit(RLIMIT_NOFILE, &before);
    ASSERT_TRUE(complete);
    EXPECT_EQ(batch.count(Transport::Answered, 200), 1u) << engine->last_connect_error(endpoints[4]);
    EXPECT_TRUE(eventually([&] { return server.open_connections() < 5; }));
    EXPECT_TRUE(reach(*engine, plan_for(endpoints[0]))) << "which comes back when it is needed";
}

// A sanitizer keeps freed memory on purpose: there the process's size says nothing about ours.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kResidentBytesAreOurs = false;
#else
constexpr bool kResidentBytesAreOurs = true;
#endif

size_t resident_bytes() {
    size_t size = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> size >> resident;
    return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

TEST_F(Origins, ByTheThousandCostABoundedNumberOfConnectionsAndBytes) {
    constexpr size_t kOrigins = 5000, kAtOnce = 250;
    constexpr uint32_t kPlaces = 64;
    ServerScript script;
    script.names = "DNS:*.origins.test";
    H2Server server(ca_, script);
    set_addresses({"127.0.0.1"});
    EngineOptions options;
    options.passing_connections_max = kPlaces;
    const auto engine = engine_with(options);
    const EndpointId like = *engine->add_endpoint(config_for(server));
    const Plan plan = plan_for(like);
    size_t answered = 0, early_bytes = 0;
    int most = 0;
    for (size_t from = 0; from < kOrigins; from += kAtOnce) {
        Batch batch(plan, kAtOnce);
        batch.portion.unsent_until_mono_ns = in(60s);
        for (size_t i = 0; i < kAtOnce; ++i) {
            const std::string name = "o" + std::to_string(from + i) + ".origins.test";
            const Result<EndpointId> origin = engine->add_origin(like, server.url(name));
            ASSERT_TRUE(origin.has_value()) << origin.error().to_string();
            batch.exchanges[i].endpoint = *origin;
        }
        submit(*engine, batch);
        while (!batch.wait(5ms)) most = std::max(most, server.open_connections());
        answered += batch.count(Transport::Answered, 200);
        if (from + kAtOnce == kOrigins / 5) early_bytes = resident_bytes();
    }
    EXPECT_EQ(answered, kOrigins);
    EXPECT_LE(most, static_cast<int>(kPlaces) + 32);  // the server notices a little later
    EXPECT_GT(most, static_cast<int>(kPlaces) / 2);
    // What stays of an origin is its entry and, for half a minute, its pool.
    const size_t late_bytes = resident_bytes();
    if (kResidentBytesAreOurs) {
        EXPECT_LT(late_bytes - std::min(early_bytes, late_bytes), kOrigins * 8 * 1024);
    }
    RecordProperty("most_connections", most);
}

TEST_F(Origins, GetTheirPlaceAsSoonAsAConnectionIsIdle) {
    ServerScript script;
    script.names = "DNS:*.origins.test";
    script.reply = [](const fakes::SeenRequest&) { return answer(200, "", 50); };
    H2Server server(ca_, script);
    set_addresses({"127.0.0.1"});
    EngineOptions options;
    options.passing_connections_max = 1;
    const auto engine = engine_with(options);
    const EndpointId like = *engine->add_endpoint(config_for(server));
    const Plan plan = plan_for(like);
    Batch batch(plan, 5);
    batch.portion.unsent_until_mono_ns = in(20s);
    for (size_t i = 0; i < 5; ++i)
        batch.exchanges[i].endpoint = *engine->add_origin(like, server.url("o" + std::to_string(i) + ".origins.test"));
    submit(*engine, batch);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 5u);
    EXPECT_EQ(server.accepted(), 5);
}

class AFullTable : public ::testing::Test {
protected:
    static EndpointConfig config(const std::string& host) {
        EndpointConfig made;
        made.url = "https://" + host;
        return made;
    }
    fakes::MemoryMetrics metrics_;
    EndpointTable table_{1, metrics_};
};

TEST_F(AFullTable, ForgetsWhatPassedByAndIsNotUsedAndNeverGivesAnIdAgain) {
    const EndpointId stays = *table_.add(config("configured.test"), false, 0);
    const EndpointId in_use = *table_.add(config("in-use.test"), true, 0);
    ASSERT_TRUE(table_.join(in_use));
    const EndpointId first = *table_.add(config("first.test"), true, 0);
    const std::shared_ptr<Endpoint> held = table_.find(first);
    for (size_t n = 3; n < EndpointTable::kSlots; ++n)
        ASSERT_TRUE(table_.add(config("n" + std::to_string(n) + ".test"), true, 1));
    const Result<EndpointId> full = table_.add(config("late.test"), true, EndpointTable::kKeepNs - 1);
    ASSERT_FALSE(full.has_value());
    EXPECT_EQ(full.error().code, ErrorCode::Busy);
    const Result<EndpointId> late = table_.add(config("late.test"), true, EndpointTable::kKeepNs);
    ASSERT_TRUE(late.has_value());
    EXPECT_NE(*late, first);
    EXPECT_EQ(EndpointTable::slot_of(*late), EndpointTable::slot_of(first));
    EXPECT_EQ(table_.find(first), nullptr);
    EXPECT_EQ(held->origin.host, "first.test") << "whoever holds it may go on";
    EXPECT_EQ(table_.find(*late)->origin.host, "late.test");
    EXPECT_EQ(*table_.add(config("configured.test"), false, 0), stays);
    EXPECT_EQ(*table_.add(config("in-use.test"), true, 0), in_use);
    EXPECT_EQ(table_.size(), EndpointTable::kSlots);
    EXPECT_NE(*table_.add(config("first.test"), true, EndpointTable::kKeepNs + 1), first);
}

}  // namespace belfry::http
