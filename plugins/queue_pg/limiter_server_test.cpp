// SPDX-License-Identifier: Apache-2.0
// What the specification cannot say of every limiter: a server that is gone, an answer that was lost, what is stored.
// Needs a server (BELFRY_TEST_PG_DSN; tests/postgres).
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "conformance/queue/limits.h"
#include "fakes/limiter_trouble.h"
#include "pg/connection.h"
#include "postgres/relay.h"

namespace belfry::queue_pg {
namespace {

using namespace std::chrono_literals;
using conformance::Context;
using conformance::queue::charge_of;
using conformance::queue::Limits;
using conformance::queue::policy;

constexpr int64_t kDay = tests::kDayMs;

class PgLimiter : public testing::Test {
protected:
    PgLimiter() {
        const char* dsn = std::getenv("BELFRY_TEST_PG_DSN");
        place_ = pg::Address(dsn != nullptr ? dsn : "");
        place_.schema = "limiter_server_test_" + std::to_string(::getpid());
        relay_ = std::make_unique<tests::Relay>(static_cast<uint16_t>(std::stoi(place_.parts.at("port"))));
        const std::string behind = "postgresql://" + place_.parts.at("user") +
                                   "@127.0.0.1:" + std::to_string(relay_->port()) + "/" + place_.parts.at("dbname") +
                                   "?sslmode=disable";
        directory_ = std::filesystem::temp_directory_path() / place_.schema;
        std::filesystem::create_directories(directory_);
        context_ = std::make_unique<Context>(
            BELFRY_QUEUE_PG_SO, R"({"dsn":")" + behind + R"(","schema":")" + place_.schema + "\"}", directory_, 1);
        limits_ = std::make_unique<Limits>(*context_);
        admin_ = std::make_unique<pg::Connection>(place_);
    }
    ~PgLimiter() override {
        limits_.reset();
        sql("DROP SCHEMA \"" + place_.schema + "\" CASCADE");
        std::filesystem::remove_all(directory_);
    }
    pg::Result sql(const std::string& statement) { return admin_->run(statement, {}, pg::Clock::now() + 10s); }

    pg::Address place_;
    std::filesystem::path directory_;
    std::unique_ptr<tests::Relay> relay_;
    std::unique_ptr<Context> context_;
    std::unique_ptr<Limits> limits_;
    std::unique_ptr<pg::Connection> admin_;
};

TEST_F(PgLimiter, SaysInTimeThatTheServerIsGoneAndGoesOnOnceItIsBack) {
    tests::check_gone_and_back(*limits_, *relay_, "COMMIT");
}

TEST_F(PgLimiter, ChargesOnceThoughTheAnswerWasLost) {
    tests::check_lost_answer(*limits_, *relay_, "COMMIT");
    EXPECT_TRUE(relay_->has_lost_it());
}

TEST_F(PgLimiter, UpkeepDeletesBucketsThatAreFullAndNoOthers) {
    std::vector<belfry_charge> charges;
    for (uint64_t key = 0; key < 3000; ++key) charges.push_back(charge_of(key, key + 1));
    for (int round = 0; round < 2; ++round) {
        limits_->charge({policy(1, 1), policy(1000, 3)}, charges);
        for (belfry_charge& charge : charges) charge.key[0] ^= 0x80;
    }
    limits_->charge({policy(5, kDay)}, {charges[0], charges[1]});
    EXPECT_EQ(sql("SELECT count(*) FROM queue_limit").number(0, 0), 2 * 2 * 3000 + 2);
    for (const auto end = pg::Clock::now() + 20s; pg::Clock::now() < end; std::this_thread::sleep_for(50ms)) {
        limits_->queue().upkeep();
        if (sql("SELECT count(*) FROM queue_limit").number(0, 0) == 2) break;
    }
    EXPECT_EQ(sql("SELECT count(*) FROM queue_limit").number(0, 0), 2);
    EXPECT_EQ(limits_->charge_one({policy(5, kDay)}, charges[0]).code, BELFRY_DUPLICATE);
}

}  // namespace
}  // namespace belfry::queue_pg
