// SPDX-License-Identifier: Apache-2.0
// What the specification cannot say of every queue: answers that were lost or came late, damaged rows, a server that
// forgot. Needs a server (BELFRY_TEST_REDIS; tests/redis).
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "conformance/queue/driver.h"
#include "redis/connection.h"
#include "redis/relay.h"

namespace belfry::queue_redis {
namespace {

using namespace std::chrono_literals;
using namespace conformance::queue;
using conformance::Context;

constexpr int64_t kFarMs = 4'000'000'000'000;

redis::Deadline soon() {
    return redis::Clock::now() + 10s;
}

class QueueRedis : public testing::Test {
protected:
    QueueRedis() {
        const std::string address = std::getenv("BELFRY_TEST_REDIS");
        const auto port = static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
        prefix_ = "server_test_" + std::to_string(::getpid());
        relay_ = std::make_unique<tests::RedisRelay>(port);
        directory_ = std::filesystem::temp_directory_path() / prefix_;
        std::filesystem::create_directories(directory_);
        context_ = std::make_unique<Context>(BELFRY_QUEUE_REDIS_SO, config(""), directory_, 1);
        redis::Address place;
        place.port = port;
        admin_ = std::make_unique<redis::Connection>(place, soon());
        open("");
    }
    ~QueueRedis() override {
        queue_.reset();
        const redis::Reply keys = command({"KEYS", "{" + prefix_ + "}:*"});
        for (size_t i = 0; i < keys.size(); ++i) command({"DEL", std::string(keys[i].text())});
        std::filesystem::remove_all(directory_);
    }
    std::string config(const std::string& more) const {
        return R"({"address":"127.0.0.1:)" + std::to_string(relay_->port()) + R"(","key_prefix":")" + prefix_ + "\"" +
               more + "}";
    }
    void open(const std::string& more) {
        queue_.reset();
        queue_ = std::make_unique<Queue>(*context_, config(more));
    }
    std::string key(const std::string& name) const { return "{" + prefix_ + "}:" + name; }
    redis::Reply command(const std::vector<std::string>& words) {
        return admin_->run(redis::Words(words.begin(), words.end()), soon());
    }
    // What every commit begins with: its first keys.
    std::string a_commit() const {
        return key("change") + "\r\n$" + std::to_string(key("closing").size()) + "\r\n" + key("closing");
    }
    // The same checkpoint until the queue answers it.
    Paged page_until_answered(const Checkpoint& checkpoint) {
        std::vector<Paged> answers;
        belfry_why why{};
        for (const auto end = soon(); redis::Clock::now() < end; std::this_thread::sleep_for(20ms)) {
            if (queue_->try_page(queue_->node(), {checkpoint}, &answers, &why) == BELFRY_OK) return answers.at(0);
        }
        ADD_FAILURE() << why.text;
        return {};
    }

    std::string prefix_;
    std::filesystem::path directory_;
    std::unique_ptr<tests::RedisRelay> relay_;
    std::unique_ptr<Context> context_;
    std::unique_ptr<Queue> queue_;
    std::unique_ptr<redis::Connection> admin_;
};

TEST_F(QueueRedis, UpkeepLeavesAnItemAloneThatWasClaimedAgainWhileItLooked) {
    queue_->must_enqueue(slice_push("x"));
    const Claimed first = queue_->claim_one();
    Claimed again;
    relay_->behind("HMGET\r\n$" + std::to_string(key("item").size()) + "\r\n" + key("item"), [&] {
        queue_->page(checkpoint_of(first, BELFRY_NEXT_RELEASE));
        again = queue_->claim_one();
        return true;
    });
    queue_->upkeep();
    ASSERT_TRUE(relay_->is_done());
    EXPECT_TRUE(queue_->claim(BELFRY_LANE_NORMAL, 1).empty()) << "a worker is sending it";
    EXPECT_EQ(queue_->finish(again).code, BELFRY_OK);
}

TEST_F(QueueRedis, ABatchWhoseCommitIsInDoubtIsStoredOnceAndAnsweredLikeTheFirst) {
    relay_->lose_answer_to(a_commit());
    const std::vector<Enqueued> answers = queue_->enqueue({slice_push("x"), small_push("y"), slice_push("x")});
    EXPECT_TRUE(relay_->is_done());
    EXPECT_EQ(answers[0].code, BELFRY_OK);
    EXPECT_EQ(answers[1].code, BELFRY_OK);
    EXPECT_EQ(answers[2].code, BELFRY_DUPLICATE);
    EXPECT_EQ(queue_->claim(BELFRY_LANE_NORMAL, 10).size(), 2u);
}

TEST_F(QueueRedis, AUidTwiceInABatchIsStoredOnlyIfTheFirstWas) {
    open(R"(,"backlog_max":1)");
    queue_->must_enqueue(slice_push("full"));
    const std::vector<Enqueued> answers = queue_->enqueue({slice_push("x"), slice_push("x")});
    EXPECT_EQ(answers[0].code, BELFRY_BUSY);
    EXPECT_EQ(answers[1].code, BELFRY_BUSY) << "a duplicate is acknowledged, and nothing is stored";
    EXPECT_FALSE(queue_->lookup("x"));
}

TEST_F(QueueRedis, WhatAPageInDoubtLeftUsHoldingIsGivenToNobodyElse) {
    queue_->must_enqueue(list_push("x", {1, 2, 3}));
    Checkpoint page = checkpoint_of(queue_->claim_one(), BELFRY_NEXT_FINISH);
    page.request = 4711;
    Owed mine;
    mine.flags = BELFRY_OWED_MINE;
    mine.keys = {2, 3};
    page.owed = {mine};
    relay_->close_door(true);
    relay_->lose_answer_to(a_commit());
    std::vector<Paged> answers;
    belfry_why why{};
    EXPECT_NE(queue_->try_page(queue_->node(), {page}, &answers, &why), BELFRY_OK);
    ASSERT_TRUE(relay_->is_done());
    relay_->close_door(false);
    std::this_thread::sleep_for(1100ms);  // the pool's longest pause before it connects again
    queue_->upkeep();
    EXPECT_TRUE(queue_->claim(BELFRY_LANE_NORMAL, 10).empty()) << "its entries would be sent twice";
    const Paged first = page_until_answered(page);
    ASSERT_EQ(first.mine.size(), 1u);
    Checkpoint tail;
    tail.item = first.mine[0].item;
    tail.epoch = first.mine[0].epoch;
    EXPECT_EQ(queue_->page(tail).code, BELFRY_OK);
}

TEST_F(QueueRedis, ASteerAndAReplayWhoseAnswersWereLostAreAnsweredLikeTheFirst) {
    queue_->must_enqueue(slice_push("x"));
    relay_->lose_answer_to(a_commit());
    EXPECT_EQ(queue_->steer("x", BELFRY_STEER_PAUSE).code, BELFRY_OK);
    EXPECT_TRUE(relay_->is_done());
    EXPECT_EQ(queue_->steer("x", BELFRY_STEER_PAUSE).code, BELFRY_DUPLICATE);
    EXPECT_EQ(queue_->steer("x", BELFRY_STEER_RESUME).code, BELFRY_OK);
    queue_->page(checkpoint_of(queue_->claim_one(), BELFRY_NEXT_BURY));
    const uint64_t letter = queue_->dead("x").at(0).id;
    relay_->lose_answer_to(a_commit());
    EXPECT_EQ(queue_->replay({letter}), 1u);
    EXPECT_TRUE(relay_->is_done());
    EXPECT_EQ(queue_->replay({letter}), 0u);
}

TEST_F(QueueRedis, AServerThatForgotItsLatestSecondGivesNoNumberAgain) {
    queue_->must_enqueue({slice_push("x"), slice_push("y")});
    queue_->steer("x", BELFRY_STEER_PAUSE);
    const int64_t heard = queue_->changes(0).at(0).number;
    const Claimed held = queue_->claim_one();
    command({"HSET", key("number"), "id", "100000000000000", "change", "0"});
    command({"DEL", key("change")});
    queue_->steer("y", BELFRY_STEER_CANCEL);
    const std::vector<Change> news = queue_->changes(heard);
    ASSERT_EQ(news.size(), 1u) << "the cancellation would not be heard of";
    EXPECT_EQ(news[0].uid, "y");
    queue_->must_enqueue(slice_push("z"));
    for (const Claimed& one : queue_->claim(BELFRY_LANE_NORMAL, 10)) EXPECT_GT(one.body, held.body) << one.uid;
    EXPECT_GT(queue_->lookup("z")->body, held.body) << "whoever opened the first would send its content";
}

TEST_F(QueueRedis, NumbersOfAppsAreAskedForAgainOnceAConnectionWasLost) {
    const auto of = [](const char* app, const char* uid) {
        NewPush push = slice_push(uid);
        push.app = app;
        return push;
    };
    queue_->must_enqueue(of("lost", "x"));
    const std::string number(command({"HGET", key("app"), "lost"}).text());
    // What happened in the last second never did, and another server gave the number away since.
    command({"HDEL", key("app"), "lost"});
    command({"HSET", key("app"), "other", number});
    command({"HSET", key("appname"), number, "other"});
    command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
    queue_->must_enqueue(of("lost", "y"));
    EXPECT_FALSE(queue_->lookup("y", "other")) << "it would go out as another tenant's";
    EXPECT_TRUE(queue_->lookup("y", "lost"));
}

TEST_F(QueueRedis, AStepOfTheServersClockEndsNoLeaseAndHidesNoDeath) {
    constexpr uint64_t kOther = 77;
    constexpr int64_t kHoursMs = 200 * 3'600'000;
    const std::string row = "000000000000004d";
    belfry_pulse pulse{};
    queue_->must_enqueue(slice_push("x"));
    for (const int64_t step : {kHoursMs, -kHoursMs}) {
        queue_->beat(kOther, &pulse);
        std::string sign(command({"HGET", key("node"), row}).text());
        const size_t at = sign.find(' ') + 1;
        const int64_t seen = std::stoll(sign.substr(at));
        // The clock stepped, as seen from the sign.
        command({"HSET", key("node"), row, sign.substr(0, at) + std::to_string(seen - step) + " 0"});
        queue_->upkeep();
        EXPECT_EQ(queue_->beat(kOther, &pulse), BELFRY_OK);
        EXPECT_GE(pulse.live_nodes, 2u);
        command({"HSET", key("node"), row, sign.substr(0, at) + std::to_string(seen - step) + " 0"});
    }
    ASSERT_EQ(queue_->claim_as(kOther, BELFRY_LANE_NORMAL, 1).size(), 1u);
    for (int second = 0; second < 60; ++second) {
        queue_->host().advance_ms(1000);
        queue_->upkeep();
    }
    EXPECT_EQ(queue_->claim(BELFRY_LANE_NORMAL, 1).size(), 1u) << "its silence lasted for a lease";
}

TEST_F(QueueRedis, AFullServerTakesNoPushButLetsThoseThatCameBeSent) {
    queue_->must_enqueue({slice_push("x"), slice_push("y")});
    queue_->steer("y", BELFRY_STEER_CANCEL);
    const std::string before(command({"CONFIG", "GET", "maxmemory"})[1].text());
    command({"CONFIG", "SET", "maxmemory", "1"});
    const std::shared_ptr<void> roomy(nullptr, [&](void*) { command({"CONFIG", "SET", "maxmemory", before}); });
    std::vector<Enqueued> answers;
    belfry_why why{};
    const belfry_code code = queue_->try_enqueue({slice_push("z")}, &answers, &why);
    EXPECT_TRUE(code != BELFRY_OK || answers.at(0).code != BELFRY_OK);
    belfry_pulse pulse{};
    EXPECT_EQ(queue_->beat(queue_->node(), &pulse), BELFRY_OK);
    const std::vector<Claimed> held = queue_->claim(BELFRY_LANE_NORMAL, 2);
    ASSERT_EQ(held.size(), 2u);
    for (const Claimed& one : held) EXPECT_EQ(queue_->finish(one).code, one.stopped() ? BELFRY_STOPPED : BELFRY_OK);
    queue_->upkeep();
    EXPECT_EQ(queue_->lookup("x")->state, BELFRY_PUSH_DONE);
    EXPECT_EQ(queue_->stats().running_pushes, 0);
}

TEST_F(QueueRedis, AListByARareStateEndsWithACursorInsteadOfWalkingEverything) {
    constexpr int kPushes = 2500;
    std::vector<NewPush> pushes;
    for (int i = 0; i < kPushes; ++i) pushes.push_back(slice_push("u" + std::to_string(i)));
    queue_->must_enqueue(pushes);
    queue_->steer("u0", BELFRY_STEER_PAUSE);  // the oldest
    std::string cursor;
    EXPECT_TRUE(queue_->list("default", BELFRY_PUSH_PAUSED, 10, &cursor).empty());
    ASSERT_FALSE(cursor.empty()) << "it looked through all of them";
    std::vector<PushView> found;
    for (int calls = 0; found.empty() && !cursor.empty() && calls < 10; ++calls)
        found = queue_->list("default", BELFRY_PUSH_PAUSED, 10, &cursor);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].uid, "u0");
}

TEST_F(QueueRedis, DamagedRowsArePutAsideAndKeepNobodyWaiting) {
    queue_->must_enqueue({slice_push("lost"), slice_push("sound"), small_push("bundled")});
    std::map<std::string, Claimed> held;
    for (Claimed& one : queue_->claim(BELFRY_LANE_NORMAL, 2)) held[one.uid] = one;
    ASSERT_EQ(held.count("lost") + held.count("sound"), 2u);
    command({"HDEL", key("push"), std::to_string(held["lost"].push)});
    const redis::Reply contents = command({"HKEYS", key("content")});
    ASSERT_EQ(contents.size(), 1u);
    command({"HSET", key("content"), std::string(contents[0].text()), "\x01"});
    const std::vector<Paged> answers = queue_->page(
        {checkpoint_of(held["lost"], BELFRY_NEXT_RELEASE), checkpoint_of(held["sound"], BELFRY_NEXT_RELEASE)});
    EXPECT_EQ(BELFRY_CODE_CLASS(answers[0].code), BELFRY_CORRUPT);
    EXPECT_EQ(answers[1].code, BELFRY_OK);
    const std::vector<Claimed> again = queue_->claim(BELFRY_LANE_NORMAL, 10);
    ASSERT_EQ(again.size(), 1u);
    EXPECT_EQ(again[0].uid, "sound");
    EXPECT_EQ(queue_->stats().parked, 2);
    EXPECT_EQ(queue_->stats().claimed[BELFRY_LANE_NORMAL], 1);
}

// Each garbage in the place of each row in turn; a sound push beside it goes all its way.
TEST_F(QueueRedis, GarbageInPlaceOfARowHoldsUpNobodyElse) {
    const std::string garbage[] = {std::string("\x01"), std::string(200, '\xff'), std::string(200, '\0'),
                                   std::string()};
    for (const char* rows : {"item", "push", "bundle", "content", "uid"}) {
        for (const std::string& bytes : garbage) {
            SCOPED_TRACE(std::string(rows) + " of " + std::to_string(bytes.size()) + " bytes");
            queue_->must_enqueue({slice_push("broken"), small_push("small"), list_push("list", {1, 2})});
            NewPush later = slice_push("later");
            later.send_at = kFarMs;
            queue_->must_enqueue(later);
            const redis::Reply fields = command({"HKEYS", key(rows)});
            ASSERT_GT(fields.size(), 0u);
            for (size_t i = 0; i < fields.size(); ++i)
                command({"HSET", key(rows), std::string(fields[i].text()), bytes});
            for (const Claimed& one : queue_->claim(BELFRY_LANE_NORMAL, 10)) {
                std::vector<Paged> answers;
                belfry_why why{};
                queue_->try_page(queue_->node(), {checkpoint_of(one, BELFRY_NEXT_RELEASE)}, &answers, &why);
            }
            std::vector<Enqueued> taken;
            belfry_why why{};
            EXPECT_EQ(queue_->try_enqueue({slice_push("broken"), slice_push("sound")}, &taken, &why), BELFRY_OK)
                << why.text;
            for (const char* uid : {"broken", "small", "list"}) queue_->steer(uid, BELFRY_STEER_PAUSE);
            queue_->upkeep();
            bool found = false;
            for (const Claimed& one : queue_->claim(BELFRY_LANE_NORMAL, 10)) {
                found = found || one.uid == "sound";
                std::vector<Paged> answers;
                queue_->try_page(queue_->node(), {checkpoint_of(one, BELFRY_NEXT_FINISH)}, &answers, &why);
            }
            EXPECT_TRUE(found);
            EXPECT_EQ(queue_->lookup("sound")->state, BELFRY_PUSH_DONE);
            std::string cursor;
            EXPECT_GE(queue_->list("default", 0, 10, &cursor).size(), 1u);
            queue_->stats();
            const redis::Reply keys = command({"KEYS", key("*")});
            for (size_t i = 0; i < keys.size(); ++i) command({"DEL", std::string(keys[i].text())});
            open("");
        }
    }
}

TEST_F(QueueRedis, AKeyOfAnotherKindIsThatPushsOwnTrouble) {
    for (const char* name : {"of", "owed", "count", "sample", "letters", "waiting"}) {
        SCOPED_TRACE(name);
        queue_->must_enqueue({slice_push("broken"), slice_push("sound")});
        std::map<std::string, Claimed> held;
        for (Claimed& one : queue_->claim(BELFRY_LANE_NORMAL, 2)) held[one.uid] = one;
        const std::string damaged = key(name) + ":" + std::to_string(held["broken"].push);
        command({"DEL", damaged});
        command({"SET", damaged, "garbage"});
        std::vector<Checkpoint> pages;
        for (const auto& [uid, one] : held) {
            pages.push_back(checkpoint_of(one, BELFRY_NEXT_FINISH));
            Count sent;
            sent.outcome = BELFRY_FINAL_ACCEPTED;
            sent.n = 1;
            pages.back().tallies = {sent};
        }
        EXPECT_EQ(queue_->page(pages).size(), 2u);
        for (int i = 0; i < 3; ++i) queue_->upkeep();
        EXPECT_EQ(queue_->lookup("sound")->state, BELFRY_PUSH_DONE);
        queue_->must_enqueue(slice_push("next"));
        EXPECT_EQ(queue_->finish(queue_->claim_one()).code, BELFRY_OK);
        const redis::Reply keys = command({"KEYS", key("*")});
        for (size_t i = 0; i < keys.size(); ++i) command({"DEL", std::string(keys[i].text())});
        open("");
    }
}

TEST_F(QueueRedis, AnIdWithoutARowKeepsNobodyWaiting) {
    queue_->must_enqueue({slice_push("gone"), slice_push("sound")});
    const Claimed gone = queue_->claim(BELFRY_LANE_NORMAL, 1).at(0);
    queue_->page(checkpoint_of(gone, BELFRY_NEXT_RELEASE));
    command({"HDEL", key("item"), std::to_string(gone.item)});
    ASSERT_EQ(queue_->claim(BELFRY_LANE_NORMAL, 10).size(), 1u);
    EXPECT_EQ(queue_->stats().claimed[BELFRY_LANE_NORMAL], 1);
    EXPECT_EQ(queue_->stats().ready[BELFRY_LANE_NORMAL], 0);
}

}  // namespace
}  // namespace belfry::queue_redis
