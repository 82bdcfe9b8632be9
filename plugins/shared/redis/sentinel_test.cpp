// SPDX-License-Identifier: Apache-2.0
// The way to a master that moves. Needs a set of servers (tests/redis/sentinel.py); in this order, since failovers
// stay.
#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>
#include <thread>

#include "redis/pool.h"

namespace belfry::redis {
namespace {

using namespace std::chrono_literals;

Deadline soon() {
    return Clock::now() + 5s;
}

Address at(uint16_t port, const std::string& password = "") {
    Address address;
    address.port = port;
    address.password = password;
    return address;
}

std::string variable(const char* name) {
    return std::getenv(name);
}

std::vector<Address> places(const std::string& password = variable("BELFRY_TEST_SENTINEL_PASSWORD")) {
    std::vector<Address> all;
    std::istringstream list(variable("BELFRY_TEST_SENTINELS"));
    for (std::string one; std::getline(list, one, ',');)
        all.push_back(at(static_cast<uint16_t>(std::stoi(one.substr(one.rfind(':') + 1))), password));
    return all;
}

Sentinels sentinels(std::vector<Address> where = places()) {
    return {std::move(where), variable("BELFRY_TEST_MASTER_NAME")};
}

std::shared_ptr<Route> route() {
    return std::make_shared<Route>(Address(),
                                   std::make_unique<Sentinels>(places(), variable("BELFRY_TEST_MASTER_NAME")));
}

std::string trouble_of(Sentinels asked) {
    try {
        asked.ask(soon());
    } catch (const Failure& failure) {
        EXPECT_EQ(failure.code(), BELFRY_RETRY_LATER);
        return failure.what();
    }
    return "answered";
}

int64_t port_of(Pool& pool) {
    return pool.with(soon(), [](Connection& connection) {
        return connection.run({"CONFIG", "GET", "port"}, soon())[1].number();
    });
}

TEST(Sentinels, AreAskedThoughOneOfThemIsDead) {
    std::vector<Address> some = places();
    some.insert(some.begin(), at(1));
    Sentinels asked = sentinels(some);
    EXPECT_EQ(asked.ask(soon()).port, sentinels().ask(soon()).port);
    EXPECT_EQ(asked.ask(soon()).host, "127.0.0.1");
}

TEST(Sentinels, SayWhatIsWrongWithEachWhenNoneAnswers) {
    EXPECT_EQ(
        trouble_of({{at(1), at(2)}, "m"}),
        "no sentinel tells where the master m is; sentinel 127.0.0.1:1: Redis at 127.0.0.1:1: Connection refused; "
        "sentinel 127.0.0.1:2: Redis at 127.0.0.1:2: Connection refused");
    EXPECT_NE(trouble_of({places(), "nobody"}).find("No such master with that name"), std::string::npos);
    EXPECT_NE(trouble_of(sentinels(places("wrong"))).find("check user and password"), std::string::npos);
}

TEST(Sentinels, AreAskedAgainAfterAllWereAway) {
    std::vector<Address> one{places().front()};
    one.front().password = "wrong";
    Sentinels asked = sentinels(one);
    for (int i = 0; i < 2; ++i) EXPECT_THROW(asked.ask(soon()), Failure) << "left out, and the only one";
}

TEST(Route, FollowsAFailoverAndLeavesConnectionsToTheOldMaster) {
    const std::shared_ptr<Route> way = route();
    Pool pool(way, 2, {}, {});
    const int64_t before = port_of(pool);
    const uint64_t turn = way->turn();
    Connection(places().front(), soon()).run({"SENTINEL", "FAILOVER", variable("BELFRY_TEST_MASTER_NAME")}, soon());
    const Deadline end = Clock::now() + 30s;
    for (; way->turn() == turn && Clock::now() < end; std::this_thread::sleep_for(50ms)) way->look();
    EXPECT_NE(port_of(pool), before);
    EXPECT_EQ(port_of(pool), way->find(soon()).address.port);
}

}  // namespace
}  // namespace belfry::redis
