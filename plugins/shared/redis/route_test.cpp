// SPDX-License-Identifier: Apache-2.0
// The way to a master that moves, with sentinels that say what a test wants; sentinel_test.cpp has real ones. Needs a
// server, see server_test.cpp.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <thread>

#include "redis/fake_sentinel.h"
#include "redis/pool.h"

namespace belfry::redis {
namespace {

using namespace std::chrono_literals;
using tests::FakeSentinel;

Deadline soon() {
    return Clock::now() + 5s;
}

uint16_t server_port() {
    const std::string address = std::getenv("BELFRY_TEST_REDIS");
    return static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
}

Address at(uint16_t port) {
    Address address;
    address.port = port;
    return address;
}

std::shared_ptr<Route> route(const FakeSentinel& sentinel) {
    return std::make_shared<Route>(Address(),
                                   std::make_unique<Sentinels>(std::vector<Address>{at(sentinel.port())}, "mymaster"));
}

TEST(Sentinels, DoNotBelieveOneThatMissedAFailover) {
    FakeSentinel cut_off("127.0.0.1", 1, 3), other("127.0.0.1", 2, 4), third("127.0.0.1", 2, 4);
    EXPECT_EQ(Sentinels({at(cut_off.port()), at(other.port()), at(third.port())}, "mymaster").ask(soon()).port, 2);
    // Alone it is all there is.
    EXPECT_EQ(Sentinels({at(cut_off.port())}, "mymaster").ask(soon()).port, 1);
}

TEST(Route, AsksAgainOnceAServerSaysThatItIsNoMaster) {
    FakeSentinel sentinel("127.0.0.1", server_port(), 0);
    const std::shared_ptr<Route> way = route(sentinel);
    Pool pool(way, 1, {}, {});
    int tries = 0;
    pool.with(soon(), [&](Connection& connection) {
        sentinel.set_master("localhost", server_port(), 1);
        if (++tries == 1) connection.run({"EVAL", "return redis.error_reply('READONLY it is a replica')", "0"}, soon());
    });
    EXPECT_EQ(tries, 2);
    EXPECT_EQ(way->turn(), 2u) << "the first answer, and the one after the doubt";
    EXPECT_EQ(way->find(soon()).address.host, "localhost");
    sentinel.set_master("127.0.0.1", server_port(), 2);
    way->doubt(1);
    EXPECT_EQ(way->find(soon()).turn, 2u) << "that server was left long ago";
}

TEST(Route, AsksAgainOnceNobodyListensThere) {
    FakeSentinel sentinel("127.0.0.1", 1, 0);
    Pool pool(route(sentinel), 1, {}, {});
    EXPECT_THROW(pool.with(soon(), [](Connection&) {}), Failure);
    sentinel.set_master("127.0.0.1", server_port(), 1);
    const Deadline end = soon();
    bool found = false;
    for (; !found && Clock::now() < end; std::this_thread::sleep_for(10ms)) {
        try {
            found = pool.with(soon(),
                              [](Connection& connection) { return connection.run({"PING"}, soon()).text() == "PONG"; });
        } catch (const Refused&) {
            // The pause before the next try.
        }
    }
    EXPECT_TRUE(found);
}

TEST(Route, EndsWhoWaitsForAServerThatIsNotTheMasterAnyMore) {
    FakeSentinel sentinel("127.0.0.1", server_port(), 0);
    const std::shared_ptr<Route> way = route(sentinel);
    Pool pool(way, 2, {}, {});
    const Deadline started = Clock::now();
    std::atomic<int> tries{0};
    std::thread waiter([&] {
        pool.with(Clock::now() + 60s, [&](Connection& connection) {
            if (++tries == 1) connection.run({"BLPOP", "route_test_nothing", "50"}, Clock::now() + 50s);
        });
    });
    while (tries == 0) std::this_thread::sleep_for(1ms);
    sentinel.set_master("localhost", server_port(), 1);
    waiter.join();
    EXPECT_EQ(tries, 2);
    EXPECT_LT(Clock::now() - started, 30s);
}

TEST(Pool, UsesNoServerThatTheCheckRefuses) {
    FakeSentinel sentinel("127.0.0.1", server_port(), 0);
    int checks = 0;
    Pool pool(route(sentinel), 1, {}, [&](Connection&, const Address& address, Deadline) {
        if (++checks == 1) throw lost_server(address.name(), "is a replica");
    });
    EXPECT_THROW(pool.with(soon(), [](Connection&) {}), Failure);
    std::this_thread::sleep_for(60ms);  // the pool's first pause
    EXPECT_NO_THROW(pool.with(soon(), [](Connection&) {}));
    EXPECT_EQ(checks, 2);
}

}  // namespace
}  // namespace belfry::redis
