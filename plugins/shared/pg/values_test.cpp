// SPDX-License-Identifier: Apache-2.0
#include "pg/values.h"

#include <gtest/gtest.h>

#include "pg/connection.h"
#include "pg/failure.h"

namespace belfry::pg {
namespace {

TEST(PgFailure, SqlStatesBecomeWhatTheHostDoesNext) {
    EXPECT_EQ(code_of(""), BELFRY_RETRY_LATER);
    EXPECT_EQ(code_of("08006"), BELFRY_RETRY_LATER);
    EXPECT_EQ(code_of("28P01"), BELFRY_AUTH);
    EXPECT_EQ(code_of("3D000"), BELFRY_CONFIG);
    EXPECT_EQ(code_of("42501"), BELFRY_CONFIG);
    EXPECT_EQ(code_of("42601"), BELFRY_INTERNAL);
    EXPECT_EQ(code_of("53100"), BELFRY_STORE_FULL);
    EXPECT_EQ(code_of("53300"), BELFRY_RETRY_LATER);
    EXPECT_EQ(code_of("57014"), BELFRY_DEADLINE);
    EXPECT_EQ(code_of("57P01"), BELFRY_RETRY_LATER);
    EXPECT_EQ(code_of("XX001"), BELFRY_CORRUPT);
}

TEST(PgFailure, RacesAndLostServersAreToldApart) {
    EXPECT_TRUE(Failure("40P01", "deadlock").lost_race());
    EXPECT_TRUE(Failure("23505", "twice").lost_race());
    EXPECT_FALSE(Failure("53100", "full").lost_race());
    for (const char* state : {"", "57P01", "57P03", "25006"})
        EXPECT_TRUE(Failure(state, "gone").lost_server()) << state;
    EXPECT_FALSE(Failure("57014", "timeout").lost_server());
}

TEST(PgFailure, TextsAreOneLineWithAdvice) {
    const Failure failure("53100", "could not extend file:\nNo space left on device\n");
    EXPECT_STREQ(failure.what(),
                 "PostgreSQL: could not extend file: No space left on device; free space on the database server, then "
                 "the same call succeeds");
}

TEST(PgFailure, WhatAnOperatorMustMendIsToldFromWhatPasses) {
    EXPECT_EQ(connect_failure("db", "FATAL:  password authentication failed for user \"ann\"").code(), BELFRY_AUTH);
    EXPECT_EQ(connect_failure("db", "FATAL:  role \"ann\" does not exist").code(), BELFRY_AUTH);
    EXPECT_EQ(connect_failure("db", "FATAL:  database \"push\" does not exist").code(), BELFRY_CONFIG);
    EXPECT_EQ(connect_failure("db", "FATAL:  the database system is starting up").code(), BELFRY_RETRY_LATER);
    EXPECT_EQ(connect_failure("db", "Connection refused").code(), BELFRY_RETRY_LATER);
}

TEST(PgAddress, TakesUrisAndFillsInWhatNoticesADeadNetwork) {
    const Address address("postgresql://ann@db.example:6000/push?sslmode=verify-full&connect_timeout=2", "s'ecret");
    EXPECT_EQ(address.name(), "db.example:6000/push");
    EXPECT_EQ(address.parts.at("connect_timeout"), "2");
    EXPECT_EQ(address.parts.at("keepalives_count"), "3");
    EXPECT_EQ(address.parts.at("sslmode"), "verify-full");
    EXPECT_NE(address.text().find("password='s\\'ecret'"), std::string::npos);
}

TEST(PgAddress, RefusesWhatIsNoConnectionString) {
    try {
        const Address address("postgresql://ann:s3cret@db/push?sslmood=x");
        FAIL() << "taken as " << address.name();
    } catch (const Refused& refused) {
        EXPECT_EQ(refused.code(), BELFRY_CONFIG);
        EXPECT_EQ(refused.where(), "dsn");
        EXPECT_NE(std::string(refused.what()).find("postgresql://user@host/database"), std::string::npos);
        EXPECT_EQ(std::string(refused.what()).find("s3cret"), std::string::npos);
    }
}

TEST(PgConnection, AnUnreachableServerIsTroubleThatPasses) {
    try {
        const Connection connection(Address("host=127.0.0.1 port=1 dbname=none user=nobody"));
        FAIL() << "connected";
    } catch (const Failure& failure) {
        EXPECT_EQ(failure.code(), BELFRY_RETRY_LATER);
        EXPECT_NE(std::string(failure.what()).find("127.0.0.1:1/none"), std::string::npos);
    }
}

TEST(PgAddress, IsSafeHereOrWithACheckedCertificate) {
    for (const char* dsn : {"dbname=b", "host=/run/postgresql", "postgresql://b@localhost/b", "host=127.0.0.1,::1",
                            "host=db sslmode=verify-full", "host=db sslmode=verify-ca", "host=db hostaddr=127.0.0.1"})
        EXPECT_TRUE(Address(dsn).is_safe()) << dsn;
    for (const char* dsn :
         {"host=db", "host=db sslmode=require", "host=localhost,db", "host=localhost hostaddr=10.0.0.1"})
        EXPECT_FALSE(Address(dsn).is_safe()) << dsn;
}

}  // namespace
}  // namespace belfry::pg
