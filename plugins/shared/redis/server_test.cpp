// SPDX-License-Identifier: Apache-2.0
// Connections and pools on a real server: BELFRY_TEST_REDIS is its port on the loopback, BELFRY_TEST_REDIS_TLS the one
// with TLS, BELFRY_TEST_REDIS_CA whom to believe there.
#include <gtest/gtest.h>

#include <cstdlib>

#include "redis/pool.h"

namespace belfry::redis {
namespace {

using std::chrono::milliseconds;

uint16_t port_of(const char* variable) {
    const std::string address = std::getenv(variable);
    return static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
}

Address plain() {
    Address address;
    address.port = port_of("BELFRY_TEST_REDIS");
    return address;
}

Address with_tls(const std::string& ca_file) {
    Address address;
    address.port = port_of("BELFRY_TEST_REDIS_TLS");
    address.tls = std::make_shared<const TlsContext>(ca_file, "", "");
    return address;
}

Deadline soon() {
    return Clock::now() + std::chrono::seconds(5);
}

std::string refusal_of(const Address& address) {
    try {
        Connection(address, soon());
    } catch (const Refused& refused) {
        return refused.what();
    }
    return "taken";
}

TEST(RedisConnection, AnswersManyCommandsInOrderAndBinary) {
    Connection connection(plain(), soon());
    const std::string bytes("a\0\r\n\xff", 5);
    connection.send({"SET", "server_test", bytes});
    connection.send({"GET", "server_test"});
    connection.send({"DEL", "server_test"});
    const std::vector<Reply> replies = connection.trip(soon());
    ASSERT_EQ(replies.size(), 3u);
    EXPECT_EQ(replies[1].text(), bytes);
    EXPECT_EQ(replies[2].number(), 1);
}

TEST(RedisConnection, SurvivesARefusedCommand) {
    Connection connection(plain(), soon());
    connection.send({"NOSUCH"});
    connection.send({"PING"});
    EXPECT_THROW(connection.trip(soon()), Failure);
    EXPECT_FALSE(connection.is_broken());
    EXPECT_EQ(connection.run({"ECHO", "x"}, soon()).text(), "x");
}

TEST(RedisConnection, KeepsItsDeadline) {
    Connection connection(plain(), soon());
    const Deadline started = Clock::now();
    EXPECT_THROW(connection.run({"BLPOP", "server_test_nothing", "30"}, started + milliseconds(100)), Failure);
    EXPECT_LT(Clock::now() - started, std::chrono::seconds(5));
    EXPECT_TRUE(connection.is_broken()) << "its answer may still come";
}

TEST(RedisConnection, SaysThatAPasswordIsWrong) {
    Address address = plain();
    address.user = "nobody";
    address.password = "wrong";
    EXPECT_NE(refusal_of(address).find("check user and password"), std::string::npos) << refusal_of(address);
}

TEST(RedisConnection, SaysWhereNobodyListens) {
    Address address;
    address.port = 1;
    EXPECT_EQ(refusal_of(address), "Redis at 127.0.0.1:1: Connection refused");
}

TEST(RedisPool, GivesTheServerScriptsItForgot) {
    const Script script("return ARGV[1]");
    Pool pool(plain(), 1, {script});
    const auto ask = [&] {
        return pool.with(soon(), [&](Connection& connection) {
            connection.send(script, {"server_test"}, {"7"});
            return connection.trip(soon()).front().number();
        });
    };
    EXPECT_EQ(ask(), 7);
    pool.with(soon(), [](Connection& connection) { connection.run({"SCRIPT", "FLUSH"}, soon()); });
    EXPECT_EQ(ask(), 7);
}

TEST(RedisPool, GivesNobodyTheAnswersToWhatAnotherOneLeftUnasked) {
    Pool pool(plain(), 1, {});
    const auto leave = [](Connection& connection) {
        connection.send({"ECHO", "left"});
        throw Refused(BELFRY_CORRUPT, {}, "a damaged row");
    };
    EXPECT_THROW(pool.with(soon(), leave), Refused);
    EXPECT_EQ(pool.with(soon(),
                        [](Connection& connection) {
                            return std::string(connection.run({"ECHO", "mine"}, soon()).text());
                        }),
              "mine");
}

TEST(RedisPool, TakesAFreshConnectionForADeadOne) {
    Pool pool(plain(), 1, {});
    pool.with(soon(), [](Connection& connection) { connection.run({"PING"}, soon()); });
    Connection other(plain(), soon());
    other.run({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}, soon());
    EXPECT_EQ(pool.with(soon(),
                        [](Connection& connection) {
                            return std::string(connection.run({"ECHO", "x"}, soon()).text());
                        }),
              "x");
}

TEST(RedisTls, CarriesALargeAnswerBothWays) {
    Connection connection(with_tls(std::getenv("BELFRY_TEST_REDIS_CA")), soon());
    const std::string large(3u << 20, 'x');
    EXPECT_EQ(connection.run({"ECHO", large}, soon()).text(), large);
}

TEST(RedisTls, DoesNotBelieveAnybody) {
    EXPECT_NE(refusal_of(with_tls("")).find("its certificate is not believed"), std::string::npos);
    Address elsewhere = with_tls(std::getenv("BELFRY_TEST_REDIS_CA"));
    elsewhere.host = "localhost";
    EXPECT_NE(refusal_of(elsewhere).find("its certificate is not believed"), std::string::npos)
        << "the certificate is for 127.0.0.1";
}

TEST(RedisTls, SaysWhichFileIsWrong) {
    try {
        TlsContext("/nonexistent", "", "");
        FAIL() << "a file that is not there was taken";
    } catch (const Refused& refused) {
        EXPECT_EQ(refused.where(), "ca_file");
    }
}

}  // namespace
}  // namespace belfry::redis
