// SPDX-License-Identifier: Apache-2.0
// What the specification cannot say of every limiter: a server that is gone, an answer that was lost, what is stored.
// Needs a server (BELFRY_TEST_REDIS; tests/redis).
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
#include "redis/connection.h"
#include "redis/relay.h"

namespace belfry::queue_redis {
namespace {

using namespace std::chrono_literals;
using conformance::Context;
using conformance::queue::charge_of;
using conformance::queue::Limits;
using conformance::queue::policy;

constexpr int64_t kDay = tests::kDayMs;

class RedisLimiter : public testing::Test {
protected:
    RedisLimiter() {
        const std::string address = std::getenv("BELFRY_TEST_REDIS");
        const auto port = static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
        prefix_ = "limiter_test_" + std::to_string(::getpid());
        relay_ = std::make_unique<tests::RedisRelay>(port);
        directory_ = std::filesystem::temp_directory_path() / prefix_;
        std::filesystem::create_directories(directory_);
        context_ = std::make_unique<Context>(
            BELFRY_QUEUE_REDIS_SO,
            R"({"address":"127.0.0.1:)" + std::to_string(relay_->port()) + R"(","key_prefix":")" + prefix_ + "\"}",
            directory_, 1);
        redis::Address place;
        place.port = port;
        admin_ = std::make_unique<redis::Connection>(place, far());
        limits_ = std::make_unique<Limits>(*context_);
    }
    ~RedisLimiter() override {
        limits_.reset();
        for (const std::string& key : keys("*")) admin_->run({"DEL", key}, far());
        std::filesystem::remove_all(directory_);
    }
    static redis::Deadline far() { return redis::Clock::now() + 10s; }
    std::vector<std::string> keys(const std::string& pattern) {
        const redis::Reply found = admin_->run({"KEYS", "{" + prefix_ + "}:" + pattern}, far());
        std::vector<std::string> names;
        for (size_t i = 0; i < found.size(); ++i) names.emplace_back(found[i].text());
        return names;
    }

    std::string prefix_, directory_;
    std::unique_ptr<tests::RedisRelay> relay_;
    std::unique_ptr<Context> context_;
    std::unique_ptr<redis::Connection> admin_;
    std::unique_ptr<Limits> limits_;
};

TEST_F(RedisLimiter, SaysInTimeThatTheServerIsGoneAndGoesOnOnceItIsBack) {
    tests::check_gone_and_back(*limits_, *relay_, ":limit:");
}

TEST_F(RedisLimiter, ChargesOnceThoughTheAnswerWasLost) {
    tests::check_lost_answer(*limits_, *relay_, ":limit:");
    EXPECT_TRUE(relay_->is_done());
}

TEST_F(RedisLimiter, EverythingItKeepsExpires) {
    std::vector<belfry_charge> charges;
    for (uint64_t key = 0; key < 500; ++key) charges.push_back(charge_of(key, key + 1));
    limits_->charge({policy(1, 1000), policy(5, kDay)}, charges);
    const std::vector<std::string> kept = keys("limit:*");
    EXPECT_GT(kept.size(), 900u);
    int64_t short_ones = 0;
    for (const std::string& key : kept) {
        const int64_t left_ms = admin_->run({"PTTL", key}, far()).number();
        EXPECT_GT(left_ms, 0) << key;
        EXPECT_LE(left_ms, 2 * kDay + 2) << key;
        short_ones += left_ms <= 120'000 ? 1 : 0;
    }
    EXPECT_GT(short_ones, 450) << "a second's limit is kept for two minutes at most";
}

}  // namespace
}  // namespace belfry::queue_redis
