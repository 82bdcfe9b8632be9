// SPDX-License-Identifier: Apache-2.0
// What the specification cannot say of every queue: commits whose answer was lost, damaged rows, a server that forgot.
// Needs a server (BELFRY_TEST_PG_DSN; tests/postgres).
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
#include "pg/connection.h"
#include "postgres/relay.h"

namespace belfry::queue_pg {
namespace {

using namespace std::chrono_literals;
using namespace conformance::queue;
using conformance::Context;

pg::Deadline soon() {
    return pg::Clock::now() + 10s;
}

class QueuePg : public testing::Test {
protected:
    QueuePg() {
        const char* dsn = std::getenv("BELFRY_TEST_PG_DSN");
        place_ = pg::Address(dsn != nullptr ? dsn : "");
        place_.schema = "queue_server_test_" + std::to_string(::getpid());
        relay_ = std::make_unique<tests::Relay>(static_cast<uint16_t>(std::stoi(place_.parts.at("port"))));
        const std::string behind = "postgresql://" + place_.parts.at("user") +
                                   "@127.0.0.1:" + std::to_string(relay_->port()) + "/" + place_.parts.at("dbname") +
                                   "?sslmode=disable";
        directory_ = std::filesystem::temp_directory_path() / place_.schema;
        std::filesystem::create_directories(directory_);
        context_ = std::make_unique<Context>(
            BELFRY_QUEUE_PG_SO, R"({"dsn":")" + behind + R"(","schema":")" + place_.schema + "\"}", directory_, 1);
        queue_ = std::make_unique<Queue>(*context_);
        admin_ = std::make_unique<pg::Connection>(place_);
    }
    ~QueuePg() override {
        queue_.reset();
        sql("DROP SCHEMA \"" + place_.schema + "\" CASCADE");
        std::filesystem::remove_all(directory_);
    }
    pg::Result sql(const std::string& statement) { return admin_->run(statement, {}, soon()); }
    // The same checkpoint until the queue answers it.
    Paged page_until_answered(const Checkpoint& checkpoint) {
        std::vector<Paged> answers;
        belfry_why why{};
        for (const auto end = soon(); pg::Clock::now() < end; std::this_thread::sleep_for(20ms)) {
            if (queue_->try_page(queue_->node(), {checkpoint}, &answers, &why) == BELFRY_OK) return answers.at(0);
        }
        ADD_FAILURE() << why.text;
        return {};
    }

    pg::Address place_;
    std::filesystem::path directory_;
    std::unique_ptr<tests::Relay> relay_;
    std::unique_ptr<Context> context_;
    std::unique_ptr<Queue> queue_;
    std::unique_ptr<pg::Connection> admin_;
};

TEST_F(QueuePg, ABatchWhoseCommitIsInDoubtIsStoredOnceAndAnsweredLikeTheFirst) {
    relay_->lose_answer_to("COMMIT");
    const std::vector<Enqueued> answers = queue_->enqueue({slice_push("x"), small_push("y"), slice_push("x")});
    EXPECT_TRUE(relay_->has_lost_it());
    EXPECT_EQ(answers[0].code, BELFRY_OK);
    EXPECT_EQ(answers[1].code, BELFRY_OK);
    EXPECT_EQ(answers[2].code, BELFRY_DUPLICATE);
    EXPECT_EQ(queue_->claim(BELFRY_LANE_NORMAL, 10).size(), 2u);
}

TEST_F(QueuePg, ASteerAndAReplayWhoseAnswersWereLostAreAnsweredLikeTheFirst) {
    queue_->must_enqueue(slice_push("x"));
    relay_->lose_answer_to("COMMIT");
    EXPECT_EQ(queue_->steer("x", BELFRY_STEER_PAUSE).code, BELFRY_OK);
    EXPECT_TRUE(relay_->has_lost_it());
    EXPECT_EQ(queue_->steer("x", BELFRY_STEER_PAUSE).code, BELFRY_DUPLICATE);
    EXPECT_EQ(queue_->steer("x", BELFRY_STEER_RESUME).code, BELFRY_OK);
    queue_->page(checkpoint_of(queue_->claim_one(), BELFRY_NEXT_BURY));
    const uint64_t letter = queue_->dead("x").at(0).id;
    relay_->lose_answer_to("COMMIT");
    EXPECT_EQ(queue_->replay({letter}), 1u);
    EXPECT_TRUE(relay_->has_lost_it());
    EXPECT_EQ(queue_->replay({letter}), 0u);
}

TEST_F(QueuePg, WhatAPageInDoubtLeftUsHoldingIsGivenToNobodyElse) {
    queue_->must_enqueue(list_push("x", {1, 2, 3}));
    Checkpoint page = checkpoint_of(queue_->claim_one(), BELFRY_NEXT_FINISH);
    page.request = 4711;
    Owed mine;
    mine.flags = BELFRY_OWED_MINE;
    mine.keys = {2, 3};
    page.owed = {mine};
    relay_->close_door(true);
    relay_->lose_answer_to("COMMIT");
    std::vector<Paged> answers;
    belfry_why why{};
    EXPECT_NE(queue_->try_page(queue_->node(), {page}, &answers, &why), BELFRY_OK);
    ASSERT_TRUE(relay_->has_lost_it());
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

TEST_F(QueuePg, DamagedRowsArePutAsideAndKeepNobodyWaiting) {
    queue_->must_enqueue({slice_push("lost"), slice_push("sound"), small_push("bundled")});
    std::map<std::string, Claimed> held;
    for (Claimed& one : queue_->claim(BELFRY_LANE_NORMAL, 2)) held[one.uid] = one;
    ASSERT_EQ(held.count("lost") + held.count("sound"), 2u);
    sql("DELETE FROM queue_push WHERE uid = 'lost'");
    sql("UPDATE queue_item SET content = '\\x01' WHERE push = 0");
    const std::vector<Paged> answers = queue_->page(
        {checkpoint_of(held["lost"], BELFRY_NEXT_RELEASE), checkpoint_of(held["sound"], BELFRY_NEXT_RELEASE)});
    EXPECT_EQ(BELFRY_CODE_CLASS(answers[0].code), BELFRY_CORRUPT);
    EXPECT_EQ(answers[1].code, BELFRY_OK);
    const std::vector<Claimed> again = queue_->claim(BELFRY_LANE_NORMAL, 10);
    ASSERT_EQ(again.size(), 1u);
    EXPECT_EQ(again[0].uid, "sound");
    EXPECT_EQ(queue_->stats().parked, 2);
}

TEST_F(QueuePg, TheDeadAreRefusedClaimsThoughTheyDoNotKnowYet) {
    queue_->must_enqueue(slice_push("x"));
    belfry_pulse pulse{};
    queue_->beat(queue_->node(), &pulse);
    sql("UPDATE queue_node SET dead = true");
    belfry_why why{};
    const belfry_code code = queue_->table().claim(
        queue_->instance(), queue_->node(), BELFRY_LANE_NORMAL, {}, 1, 0, [](void*, belfry_list) { return 1; }, nullptr,
        &why);
    EXPECT_EQ(BELFRY_CODE_CLASS(code), BELFRY_FENCED);
}

TEST_F(QueuePg, AStepOfTheServersClockEndsNoLease) {
    constexpr uint64_t kOther = 77;
    belfry_pulse pulse{};
    queue_->must_enqueue(slice_push("x"));
    queue_->beat(kOther, &pulse);
    ASSERT_EQ(queue_->claim_as(kOther, BELFRY_LANE_NORMAL, 1).size(), 1u);
    queue_->upkeep();
    for (const char* hours : {"100", "-200"}) {
        sql("CREATE OR REPLACE FUNCTION queue_now() RETURNS bigint LANGUAGE sql VOLATILE PARALLEL SAFE AS 'SELECT "
            "(extract(epoch FROM clock_timestamp()) * 1000)::bigint + 3600000::bigint * " +
            std::string(hours) + "'");
        queue_->upkeep();
        EXPECT_TRUE(queue_->claim(BELFRY_LANE_NORMAL, 1).empty());
        EXPECT_EQ(queue_->beat(kOther, &pulse), BELFRY_OK);
    }
}

TEST_F(QueuePg, AParkThatAResumeOvertookLosesNothing) {
    queue_->must_enqueue(slice_push("x"));
    queue_->page(checkpoint_of(queue_->claim_one(), BELFRY_NEXT_PARK));
    EXPECT_EQ(queue_->claim(BELFRY_LANE_NORMAL, 1).size(), 1u);
}

TEST_F(QueuePg, RetentionPassesByWhatItMustKeepOnce) {
    queue_->must_enqueue({slice_push("kept"), slice_push("gone")});
    for (const Claimed& one : queue_->claim(BELFRY_LANE_NORMAL, 2))
        queue_->page(checkpoint_of(one, one.uid == "kept" ? BELFRY_NEXT_BURY : BELFRY_NEXT_FINISH));
    sql("UPDATE queue_push SET finished = 1 WHERE uid = 'kept'");
    sql("UPDATE queue_push SET finished = 2 WHERE uid = 'gone'");
    queue_->upkeep();
    EXPECT_FALSE(queue_->lookup("gone"));
    ASSERT_TRUE(queue_->lookup("kept")) << "it has a dead letter";
    sql("UPDATE queue_dead SET buried = 1");
    queue_->reopen();  // upkeep purges every ten seconds
    queue_->upkeep();
    EXPECT_FALSE(queue_->lookup("kept")) << "it goes with its last letter";
}

TEST_F(QueuePg, AServerThatForgotItsLatestChangesGivesNoNumberAgain) {
    queue_->must_enqueue({slice_push("x"), slice_push("y")});
    queue_->steer("x", BELFRY_STEER_PAUSE);
    const int64_t heard = queue_->changes(0).at(0).number;
    sql("DELETE FROM queue_change");
    sql("SELECT setval(pg_get_serial_sequence('queue_change', 'number'), 1, false)");
    queue_->steer("y", BELFRY_STEER_CANCEL);
    const std::vector<Change> news = queue_->changes(heard);
    ASSERT_EQ(news.size(), 1u) << "the cancellation would not be heard of";
    EXPECT_EQ(news[0].uid, "y");
}

}  // namespace
}  // namespace belfry::queue_pg
