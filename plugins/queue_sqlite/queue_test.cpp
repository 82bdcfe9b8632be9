// SPDX-License-Identifier: Apache-2.0
// The open queue over a real file: what only shows with all parts together, and cannot be seen through the C ABI.
#include "queue.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <belfry/abi.hpp>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <string>

namespace belfry::queue_sqlite {
namespace {

constexpr uint64_t kNode = 1;
std::atomic<sqlite3*> g_opened{nullptr};
std::atomic<bool> g_refuse_commits{false};

// SQLite tells about every connection: the way to the one inside the queue.
int on_open(sqlite3* connection, char**, const void*) {
    g_opened = connection;
    sqlite3_commit_hook(
        connection, [](void*) -> int { return g_refuse_commits ? 1 : 0; }, nullptr);
    return SQLITE_OK;
}

class QueueTest : public testing::Test {
protected:
    QueueTest() : directory_(testing::TempDir() + "queue_test." + std::to_string(::getpid())) {
        std::filesystem::create_directories(directory_);
        sqlite3_auto_extension(reinterpret_cast<void (*)()>(&on_open));
        config_.path = directory_ + "/queue.db";
        config_.shelf_items = 16;
        reopen();
    }
    ~QueueTest() override {
        g_refuse_commits = false;
        queue_.reset();
        sqlite3_reset_auto_extension();
        std::filesystem::remove_all(directory_);
    }
    void reopen() {
        queue_.reset();
        queue_ = std::make_unique<Queue>(nullptr, config_);
    }

    int32_t enqueue(const std::string& uid, bool small, int64_t send_at = 0) {
        auto item = sized<belfry_new_item>();
        item.kind = small ? BELFRY_WORK_LIST : BELFRY_WORK_SLICE;
        item.blob = UINT32_MAX;
        item.after = -1;
        item.hi = 1000;
        const int64_t keys[] = {1, 2, 3};
        if (small) item.keys = {keys, 3, sizeof keys[0]};
        auto push = sized<belfry_new_push>();
        push.flags = small ? BELFRY_NEW_PUSH_SMALL : 0;
        push.lane = BELFRY_LANE_NORMAL;
        push.weight = 1;
        push.app = str("default");
        push.uid = str(std::string_view(uid));
        push.send_at_unix_ms = send_at;
        push.expires_unix_ms = expires_;
        push.fingerprint[0] = fingerprint_;
        push.body = str("body");
        push.items = one_row(item);
        int32_t code = -1;
        queue_->enqueue(
            one_row(push),
            [](void* ctx, belfry_list rows) -> int32_t {
                *static_cast<int32_t*>(ctx) = Rows<belfry_enqueued>(rows)[0].code;
                return 0;
            },
            &code);
        return code;
    }

    // Large pushes, numbered from `from` to before `to`, in one call.
    void enqueue_many(uint32_t from, uint32_t to) {
        auto item = sized<belfry_new_item>();
        item.kind = BELFRY_WORK_SLICE;
        item.blob = UINT32_MAX;
        item.after = -1;
        item.hi = 1000;
        std::vector<std::string> uids;
        for (uint32_t i = from; i < to; ++i) uids.push_back("n" + std::to_string(i));
        std::vector<belfry_new_push> pushes;
        for (const std::string& uid : uids) {
            pushes.push_back(sized<belfry_new_push>());
            pushes.back().lane = BELFRY_LANE_NORMAL;
            pushes.back().weight = 1;
            pushes.back().app = str("default");
            pushes.back().uid = str(std::string_view(uid));
            pushes.back().items = one_row(item);
        }
        queue_->enqueue(
            list_of(pushes), [](void*, belfry_list) -> int32_t { return 0; }, nullptr);
    }
    // How many pushes a list in this state has; the cursor of the next call.
    std::pair<size_t, std::string> listed(int32_t state, const std::string& cursor = {}) {
        size_t found = 0;
        char next[64] = "";
        queue_->list(
            str("default"), state, str(std::string_view(cursor)), 10,
            [](void* ctx, belfry_list rows) -> int32_t {
                *static_cast<size_t*>(ctx) += rows.n;
                return 0;
            },
            &found, next);
        return {found, next};
    }

    struct Held {
        uint64_t item;
        uint32_t epoch;
        int32_t kind;
        int64_t after, hi;
    };
    std::vector<Held> claim(uint32_t n) {
        std::vector<Held> held;
        queue_->claim(
            kNode, BELFRY_LANE_NORMAL, {}, n, 0,
            [](void* ctx, belfry_list rows) -> int32_t {
                for (const belfry_claimed& row : Rows<belfry_claimed>(rows)) {
                    static_cast<std::vector<Held>*>(ctx)->push_back({row.item, row.epoch, row.kind, row.after, row.hi});
                }
                return 0;
            },
            &held);
        return held;
    }
    void page(const Held& held, std::mt19937& random) {
        auto checkpoint = sized<belfry_checkpoint>();
        checkpoint.item = held.item;
        checkpoint.epoch = held.epoch;
        checkpoint.request = ++request_;
        checkpoint.cost = 10;
        checkpoint.next = random() % 3 == 0 ? BELFRY_NEXT_RELEASE : BELFRY_NEXT_FINISH;
        checkpoint.planned = held.kind == BELFRY_WORK_SLICE ? 3 : 0;
        auto tally = sized<belfry_tally>();
        tally.gate = 1;
        tally.outcome = BELFRY_FINAL_ACCEPTED;
        tally.n = 2;
        checkpoint.tallies = one_row(tally);
        auto owed = sized<belfry_owed>();
        owed.attempt = 2;
        owed.note = str("why");
        const int64_t key = 7;
        owed.keys = {&key, 1, sizeof key};
        if (random() % 3 == 0) owed.flags = BELFRY_OWED_DEAD;
        if (random() % 3 == 0) owed.due_unix_ms = int64_t{1} << 50;
        if (random() % 2 == 0) checkpoint.owed = one_row(owed);
        if (held.kind == BELFRY_WORK_SLICE && held.hi - held.after > 8) {
            checkpoint.cursor = held.after + 2;
            if (random() % 2 == 0) {
                checkpoint.split_at = held.hi - 2;
                checkpoint.split_hi = held.hi;
            }
        }
        queue_->page(
            kNode, one_row(checkpoint), [](void*, belfry_list) -> int32_t { return 0; }, nullptr);
    }
    // Ends an item; `buried`: all of it as dead letters.
    void finish(const Held& held, bool buried) {
        auto checkpoint = sized<belfry_checkpoint>();
        checkpoint.item = held.item;
        checkpoint.epoch = held.epoch;
        checkpoint.request = ++request_;
        checkpoint.next = BELFRY_NEXT_FINISH;
        checkpoint.planned = 1;
        checkpoint.cursor = held.hi;
        auto owed = sized<belfry_owed>();
        owed.attempt = 2;
        owed.note = str("why");
        owed.flags = BELFRY_OWED_DEAD;
        const int64_t key = 7;
        owed.keys = {&key, 1, sizeof key};
        if (buried) checkpoint.owed = one_row(owed);
        queue_->page(
            kNode, one_row(checkpoint), [](void*, belfry_list) -> int32_t { return 0; }, nullptr);
    }
    void steer(const std::string& uid, int32_t verb) {
        const belfry_str row = str(std::string_view(uid));
        queue_->steer(
            str("default"), one_row(row), verb, [](void*, belfry_list) -> int32_t { return 0; }, nullptr);
    }

    // All that can be told from outside about what is stored; what is claimed counts as ready.
    std::string told(const std::set<std::string>& uids) {
        belfry_queue_stats stats{};
        queue_->stats(stats);
        std::string out;
        const auto say = [&](const char* name, int64_t n) { out += std::string(name) + "=" + std::to_string(n) + " "; };
        for (int lane = 1; lane < kLanes; ++lane) say("items", stats.ready[lane] + stats.claimed[lane]);
        say("delayed", stats.delayed);
        say("parked", stats.parked);
        say("dead", stats.dead);
        say("running", stats.running_pushes);
        say("waiting", stats.delayed_pushes);
        for (const std::string& uid : uids) {
            const belfry_str row = str(std::string_view(uid));
            out += "\n" + uid + ": ";
            queue_->lookup(
                str("default"), one_row(row),
                [](void* ctx, belfry_list rows) -> int32_t {
                    for (const belfry_push_row& push : Rows<belfry_push_row>(rows)) {
                        auto& text = *static_cast<std::string*>(ctx);
                        for (const int64_t n :
                             {int64_t{push.state}, int64_t{push.live_items}, int64_t{push.planned_final}, push.planned,
                              push.range_left, push.finished_unix_ms}) {
                            text += std::to_string(n) + " ";
                        }
                        for (const belfry_tally& tally : Rows<belfry_tally>(push.tallies)) {
                            text += std::to_string(tally.outcome) + "x" + std::to_string(tally.n) + " ";
                        }
                    }
                    return 0;
                },
                &out);
        }
        return out;
    }

    std::string directory_;
    Config config_;
    std::unique_ptr<Queue> queue_;
    uint64_t request_ = 0;
    uint8_t fingerprint_ = 0;
    int64_t expires_ = 0;
};

TEST_F(QueueTest, ATransactionThatFailsLeavesMemoryAsTheFileSays) {
    std::mt19937 random(11);
    std::set<std::string> uids;
    int failed = 0;
    for (int step = 0; step < 600; ++step) {
        const std::string uid = "u" + std::to_string(random() % 200);
        g_refuse_commits = random() % 3 == 0;
        try {
            switch (random() % 6) {
                case 0:
                case 1:
                    enqueue(uid, random() % 2 == 0, random() % 8 == 0 ? int64_t{1} << 50 : 0);
                    uids.insert(uid);
                    break;
                case 2:
                case 3:
                    for (const Held& held : claim(3)) page(held, random);
                    break;
                case 4:
                    steer(uid, BELFRY_STEER_CANCEL + static_cast<int32_t>(random() % 3));
                    break;
                default:
                    queue_->upkeep(kNode, 1, nullptr);
                    if (random() % 8 == 0) queue_->purge_app(str("default"), 3);
                    break;
            }
        } catch (const sqlite::Failure&) {
            ++failed;
        }
        g_refuse_commits = false;
        if (step % 20 != 19) continue;
        const std::string before = told(uids);
        reopen();
        ASSERT_EQ(told(uids), before) << "after step " << step;
    }
    EXPECT_GT(failed, 100);
}

TEST_F(QueueTest, AUidWhoseEnqueueFailedIsFree) {
    for (const bool small : {true, false}) {
        const std::string uid = small ? "small" : "large";
        g_refuse_commits = true;
        EXPECT_THROW(enqueue(uid, small), sqlite::Failure);
        g_refuse_commits = false;
        EXPECT_EQ(enqueue(uid, small), BELFRY_OK);
        EXPECT_EQ(BELFRY_CODE_CLASS(enqueue(uid, small)), BELFRY_DUPLICATE);
    }
}

TEST_F(QueueTest, AnIdleQueueWritesNothing) {
    sqlite3* connection = g_opened;
    queue_->upkeep(kNode, 1, nullptr);  // makes durable what the start left
    const int64_t idle = sqlite3_total_changes64(connection);
    for (int i = 0; i < 5; ++i) queue_->upkeep(kNode, 1, nullptr);
    EXPECT_EQ(sqlite3_total_changes64(connection), idle);

    std::mt19937 random(1);
    enqueue("large", false);
    for (const Held& held : claim(1)) page(held, random);
    const int64_t progress = sqlite3_total_changes64(connection);
    queue_->upkeep(kNode, 1, nullptr);
    const int64_t synced = sqlite3_total_changes64(connection);
    EXPECT_GT(synced, progress) << "progress is made durable";
    queue_->upkeep(kNode, 1, nullptr);
    EXPECT_EQ(sqlite3_total_changes64(connection), synced) << "once";
}

TEST_F(QueueTest, AListInOneStateLooksAtABoundedNumberOfRows) {
    enqueue("old", false);
    enqueue_many(0, 1500);
    steer("old", BELFRY_STEER_PAUSE);
    EXPECT_EQ(listed(BELFRY_PUSH_PAUSED), std::pair(size_t{1}, std::string())) << "open states have an index";
    const auto [found, cursor] = listed(BELFRY_PUSH_DONE);
    EXPECT_EQ(found, 0u);
    ASSERT_NE(cursor, "") << "it stopped on its way";
    EXPECT_EQ(listed(BELFRY_PUSH_DONE, cursor), std::pair(size_t{0}, std::string()));
    size_t running = 0;
    for (auto [n, next] = listed(BELFRY_PUSH_RUNNING); n > 0; std::tie(n, next) = listed(BELFRY_PUSH_RUNNING, next)) {
        running += n;
        if (next.empty()) break;
    }
    EXPECT_EQ(running, 1500u);
}

TEST_F(QueueTest, AFinishedPushGoesWithItsLastDeadLetter) {
    config_.results_days = config_.dead_days = 0;
    reopen();
    enqueue("buried", false);
    enqueue("done", false);
    bool buried = true;
    for (const Held& held : claim(2)) finish(held, std::exchange(buried, false));
    for (const bool refused : {true, false}) {
        g_refuse_commits = refused;
        try {
            queue_->upkeep(kNode, 1000, nullptr);
            EXPECT_FALSE(refused);
        } catch (const sqlite::Failure&) {
            EXPECT_TRUE(refused);
        }
    }
    EXPECT_EQ(listed(0).first, 0u);
}

TEST_F(QueueTest, AReplayedPushStillKnowsTheRequestItCameFrom) {
    fingerprint_ = 7;
    expires_ = 1;
    ASSERT_EQ(enqueue("late", false), BELFRY_OK);
    for (const Held& held : claim(1)) finish(held, true);
    uint64_t letter = 0;
    queue_->dead(
        str("default"), {}, 0, 10,
        [](void* ctx, belfry_list rows) -> int32_t {
            for (const belfry_dead_row& row : Rows<belfry_dead_row>(rows)) *static_cast<uint64_t*>(ctx) = row.id;
            return 0;
        },
        &letter);
    ASSERT_NE(letter, 0u);
    ASSERT_EQ(queue_->replay(str("default"), one_row(letter), true), 1u);
    EXPECT_EQ(BELFRY_CODE_CLASS(enqueue("late", false)), BELFRY_DUPLICATE);
}

// Statements that read whole tables or indexes on purpose: all of them run at start or in upkeep only.
const std::set<std::string> kMayScan{
    "SELECT lane, gate, parked, count(*), min(vt) FROM item GROUP BY lane, gate, parked",
    "SELECT count(*) FROM later",
    "SELECT count(*) FROM dead WHERE replayed=0",
    "SELECT sum(b.open) FROM item i JOIN bundle b ON b.id=i.id WHERE i.kind=3",
    "SELECT name FROM app ORDER BY id",
};

TEST_F(QueueTest, NoStatementButThoseOfTheStartScansATable) {
    sqlite3* connection = g_opened;
    ASSERT_NE(connection, nullptr);
    std::vector<std::string> statements;
    for (sqlite3_stmt* s = sqlite3_next_stmt(connection, nullptr); s != nullptr; s = sqlite3_next_stmt(connection, s)) {
        statements.emplace_back(sqlite3_sql(s));
    }
    EXPECT_GT(statements.size(), 50u);
    for (const std::string& sql : statements) {
        if (kMayScan.count(sql) != 0) continue;
        sqlite3_stmt* plan = nullptr;
        ASSERT_EQ(sqlite3_prepare_v2(connection, ("EXPLAIN QUERY PLAN " + sql).c_str(), -1, &plan, nullptr), SQLITE_OK)
            << sql;
        while (sqlite3_step(plan) == SQLITE_ROW) {
            const std::string detail = reinterpret_cast<const char*>(sqlite3_column_text(plan, 3));
            EXPECT_EQ(detail.find("SCAN "), std::string::npos) << sql << ": " << detail;
            EXPECT_EQ(detail.find("TEMP B-TREE"), std::string::npos) << sql << ": " << detail;
        }
        sqlite3_finalize(plan);
    }
}

}  // namespace
}  // namespace belfry::queue_sqlite
