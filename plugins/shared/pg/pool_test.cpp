// SPDX-License-Identifier: Apache-2.0
// Connections, pools and migrations before a real server; BELFRY_TEST_PG_DSN names it (tests/postgres).
#include "pg/pool.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <thread>

#include "pg/migrate.h"

namespace belfry::pg {
namespace {

using namespace std::chrono_literals;

Address address(const std::string& schema) {
    const char* dsn = std::getenv("BELFRY_TEST_PG_DSN");
    Address address(dsn != nullptr ? dsn : "");
    address.schema = schema + "_" + std::to_string(::getpid());
    return address;
}
Deadline soon() {
    return Clock::now() + 5s;
}

TEST(PgConnection, ValuesOfEveryTypeGoThereAndBack) {
    Connection connection(address("values"));
    Column hashes(Type::Uuid), small(Type::Int2), none(Type::Bytes);
    Hash hash{1, 2, 3};
    hashes.add(hash);
    small.add2(-3);
    small.add_null();
    const Result result = connection.run(
        "SELECT $1, $2, $3, $4, ($5::uuid[])[1], ($6::int2[])[1], ($6::int2[])[2], cardinality($7::bytea[])",
        Params()
            .number(INT64_MIN)
            .number4(-7)
            .text("\xc3\xa4")
            .bytes(std::string_view("a\0b", 3))
            .column(hashes)
            .column(small)
            .column(none),
        soon());
    EXPECT_EQ(result.number(0, 0), INT64_MIN);
    EXPECT_EQ(result.number4(0, 1), -7);
    EXPECT_EQ(result.bytes(0, 2), "\xc3\xa4");
    EXPECT_EQ(result.bytes(0, 3), std::string_view("a\0b", 3));
    EXPECT_EQ(result.hash(0, 4), hash);
    EXPECT_EQ(result.bytes(0, 5), "\xff\xfd");
    EXPECT_TRUE(result.is_null(0, 6));
    EXPECT_EQ(result.number4(0, 7), 0);
}

TEST(PgConnection, AFailureInATripStopsWhatIsBehindItAndTheConnectionGoesOn) {
    Connection connection(address("trip"));
    connection.send("BEGIN");
    connection.send("SELECT 1 / $1", Params().number4(0));
    connection.send("SELECT 'behind'");
    try {
        connection.trip(soon());
        FAIL() << "a division by zero succeeded";
    } catch (const Failure& failure) {
        EXPECT_EQ(failure.state(), "22012");
    }
    connection.roll_back(soon());
    EXPECT_FALSE(connection.is_broken());
    EXPECT_EQ(connection.run("SELECT 'behind'", {}, soon()).bytes(0, 0), "behind");
    EXPECT_EQ(connection.run("SELECT 1 / $1", Params().number4(1), soon()).number4(0, 0), 1);
}

TEST(PgConnection, ADeadlineEndsATripAndTheConnection) {
    Connection connection(address("deadline"));
    const auto start = Clock::now();
    EXPECT_THROW(connection.run("SELECT pg_sleep(5)", {}, start + 50ms), Failure);
    EXPECT_LT(Clock::now() - start, 2s);
    EXPECT_TRUE(connection.is_broken());
}

TEST(PgPool, SurvivesTheEndOfAllItsSessions) {
    Pool pool(address("restart"), 4);
    const auto ask = [&] {
        return pool.with(soon(),
                         [&](Connection& c) { return c.run("SELECT pg_backend_pid()", {}, soon()).number4(0, 0); });
    };
    const int32_t before = ask();
    Connection other(address("restart"));
    other.run("SELECT pg_terminate_backend($1)", Params().number4(before), soon());
    EXPECT_NE(ask(), before);
}

TEST(PgPool, ALostRaceIsRunAgain) {
    Pool pool(address("race"), 1);
    int tries = 0;
    pool.with(soon(), [&](Connection&) {
        if (++tries < 4) throw Failure("40001", "lost");
    });
    EXPECT_EQ(tries, 4);
}

TEST(PgPool, FailsFastWhileTheServerIsAway) {
    Pool pool(Address("host=127.0.0.1 port=1 dbname=none user=nobody"), 2);
    const auto nothing = [](Connection&) {};
    EXPECT_THROW(pool.with(soon(), nothing), Refused);
    const auto start = Clock::now();
    for (int i = 0; i < 100; ++i) EXPECT_THROW(pool.with(soon(), nothing), Refused);
    EXPECT_LT(Clock::now() - start, 1s);
}

TEST(PgPool, SaysWhenAllConnectionsAreTaken) {
    Pool pool(address("taken"), 1);
    pool.with(soon(), [&](Connection&) {
        try {
            pool.with(Clock::now() + 20ms, [](Connection&) {});
            FAIL() << "a second connection of one";
        } catch (const Refused& refused) {
            EXPECT_EQ(refused.code(), BELFRY_BUSY);
        }
    });
}

constexpr std::array<Migration, 2> kSteps{
    {{1, "CREATE TABLE thing (id int)"}, {2, "ALTER TABLE thing ADD COLUMN name text"}}};

TEST(PgMigrate, NodesThatStartTogetherMakeOneSetOfTables) {
    const Address where = address("migrate");
    std::array<std::thread, 4> nodes;
    for (auto& node : nodes) node = std::thread([&] { migrate(where, "test", kSteps); });
    for (auto& node : nodes) node.join();
    Connection connection(where);
    EXPECT_EQ(connection.run("SELECT version FROM version WHERE component = 'test'", {}, soon()).number4(0, 0), 2);
    EXPECT_EQ(connection.run("SELECT count(name) FROM thing", {}, soon()).number(0, 0), 0);
}

TEST(PgMigrate, AnOlderBinaryIsRefusedOnNewerTables) {
    const Address where = address("newer");
    migrate(where, "test", kSteps);
    try {
        migrate(where, "test", std::span(kSteps).first(1));
        FAIL() << "an older binary started";
    } catch (const Refused& refused) {
        EXPECT_EQ(refused.code(), BELFRY_CONFIG);
        EXPECT_NE(std::string(refused.what()).find("version 2"), std::string::npos);
    }
}

TEST(PgMigrate, AFailedStepLeavesTheOneBeforeIt) {
    const Address where = address("failed");
    constexpr std::array<Migration, 2> kBad{{kSteps[0], {2, "CREATE TABLE other (id int); SELECT 1 / 0"}}};
    EXPECT_THROW(migrate(where, "test", kBad), Refused);
    Connection connection(where);
    EXPECT_EQ(connection.run("SELECT version FROM version", {}, soon()).number4(0, 0), 1);
    EXPECT_THROW(connection.run("SELECT * FROM other", {}, soon()), Failure);
}

}  // namespace
}  // namespace belfry::pg
