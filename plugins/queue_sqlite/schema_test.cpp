// SPDX-License-Identifier: Apache-2.0
// Files of every earlier schema open and lose nothing. Each version's file is made here by SQL, as that version made
// it.
#include "schema.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <belfry/abi.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <string>

#include "queue.h"
#include "queue/bundle.h"
#include "queue/packing.h"

namespace belfry::queue_sqlite {
namespace {

constexpr uint64_t kNode = 1;
constexpr double kBigFileSecondsMax = 120;  // some seconds on an idle machine

constexpr const char* kVersion1 = R"sql(
PRAGMA application_id=1112626001;
CREATE TABLE belfry_schema (version INTEGER PRIMARY KEY, applied_unix_s INTEGER NOT NULL DEFAULT (unixepoch())) STRICT;
INSERT INTO belfry_schema (version) VALUES (1);
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE app (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE push (
    id INTEGER PRIMARY KEY,
    planned INTEGER NOT NULL, undiscovered INTEGER NOT NULL, tallies BLOB NOT NULL, samples BLOB NOT NULL,
    state INTEGER NOT NULL, lane INTEGER NOT NULL, finished INTEGER NOT NULL, body INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    app INTEGER NOT NULL, weight INTEGER NOT NULL, created INTEGER NOT NULL, send_at INTEGER NOT NULL,
    uid BLOB NOT NULL
) STRICT;
CREATE INDEX push_app ON push(app, id);
CREATE INDEX push_open ON push(state) WHERE finished = 0;
CREATE INDEX push_expiring ON push(expires) WHERE expires > 0 AND state < 4;
CREATE INDEX push_final ON push(finished) WHERE finished > 0;

CREATE TABLE bundle (
    id INTEGER PRIMARY KEY, lane INTEGER NOT NULL, created INTEGER NOT NULL, finished INTEGER NOT NULL,
    open INTEGER NOT NULL, results BLOB NOT NULL
) STRICT;
CREATE INDEX bundle_final ON bundle(finished) WHERE finished > 0;

CREATE TABLE uid (
    key BLOB PRIMARY KEY, fingerprint BLOB NOT NULL, ref INTEGER NOT NULL, member INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE blob (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;

CREATE TABLE item (
    id INTEGER PRIMARY KEY,
    after INTEGER NOT NULL, hi INTEGER NOT NULL, vt INTEGER NOT NULL, ready INTEGER NOT NULL,
    crashes INTEGER NOT NULL, parked INTEGER NOT NULL,
    push INTEGER NOT NULL, kind INTEGER NOT NULL, lane INTEGER NOT NULL, gate INTEGER NOT NULL,
    flags INTEGER NOT NULL, attempt INTEGER NOT NULL, blob INTEGER NOT NULL,
    content BLOB NOT NULL
) STRICT;
CREATE INDEX item_shelf ON item(lane, gate, id) WHERE parked = 0;
CREATE INDEX item_push ON item(push) WHERE push > 0;
CREATE INDEX item_blob ON item(blob) WHERE blob > 0;

CREATE TABLE later (
    id INTEGER PRIMARY KEY, due INTEGER NOT NULL,
    push INTEGER NOT NULL, kind INTEGER NOT NULL, gate INTEGER NOT NULL, flags INTEGER NOT NULL,
    attempt INTEGER NOT NULL, after INTEGER NOT NULL, hi INTEGER NOT NULL, blob INTEGER NOT NULL,
    content BLOB NOT NULL
) STRICT;
CREATE INDEX later_due ON later(due);
CREATE INDEX later_push ON later(push);
CREATE INDEX later_blob ON later(blob) WHERE blob > 0;

CREATE TABLE dead (
    id INTEGER PRIMARY KEY, replayed INTEGER NOT NULL, buried INTEGER NOT NULL,
    app INTEGER NOT NULL, push INTEGER NOT NULL, kind INTEGER NOT NULL, gate INTEGER NOT NULL,
    flags INTEGER NOT NULL, attempt INTEGER NOT NULL, entries INTEGER NOT NULL,
    after INTEGER NOT NULL, hi INTEGER NOT NULL, blob INTEGER NOT NULL, note TEXT NOT NULL,
    content BLOB NOT NULL
) STRICT;
CREATE INDEX dead_app ON dead(app, id);
CREATE INDEX dead_push ON dead(push);
CREATE INDEX dead_buried ON dead(buried);
CREATE INDEX dead_blob ON dead(blob) WHERE blob > 0;
)sql";

// app 1 "default", 2 "shop". Push 10 runs with a slice and a retry, 11 is done with a dead letter, 12 was member 1 of
// bundle 20 ("moved"); bundle 20 holds "small" (cancelled) and "moved".
constexpr const char* kRows1 = R"sql(
INSERT INTO counter VALUES ('next_id', 65537), ('opened', 1);
INSERT INTO app VALUES (1, 'default'), (2, 'shop');
INSERT INTO push VALUES
  (10, 7, 1, x'0100000001000000010000000500000000000000', x'00000000', 2, 2, 0, 100, 0, 1, 3, 1000, 0, x'736c696365'),
  (11, 2, 0, x'01000000010000000b0000000200000000000000', x'00000000', 4, 2, 4102444800000, 101, 0, 2, 1, 1000, 0, x'6f766572'),
  (12, 1, 1, x'00000000', x'00000000', 2, 2, 0, 102, 0, 1, 1, 1000, 0, x'6d6f766564');
INSERT INTO blob VALUES (100, CAST('body of slice' AS BLOB)), (101, CAST('body of over' AS BLOB)), (102, CAST('body of moved' AS BLOB));
INSERT INTO item VALUES
  (30, 4, 1000, 5, 1000, 0, 0, 10, 1, 2, 0, 2, 1, 0, x''),
  (31, 0, 0, 6, 1000, 0, 0, 12, 2, 2, 0, 0, 2, 0, x'0900000000000000'),
  (20, 0, 0, 7, 1000, 0, 0, 0, 3, 2, 0, 10, 1, 0, x'020000000700000064656661756c7405000000736d616c6c0d000000626f6479206f6620736d616c6c0000000000000000000000000000000002000000000000010000000000000002000000000000000700000064656661756c74050000006d6f7665640d000000626f6479206f66206d6f7665640000000000000000000000000000000001000000000000000000000900000000000000');
INSERT INTO later VALUES (40, 4102444800000, 10, 2, 1, 0, 2, 0, 0, 0, x'0500000000000000');
INSERT INTO dead VALUES (50, 0, 4102444800000, 2, 11, 2, 1, 0, 6, 2, 0, 0, 0, 'no such device', x'01000000000000000200000000000000');
INSERT INTO bundle VALUES (20, 2, 1000, 0, 1, x'020000000100000005000000736d616c6c050000000000000000000000000000000000000000000000000000000400000000000000000000000000000001000000050000006d6f76656402000000000000000000000000000000000000000c0000000000000000000000000000000000000000000000');
INSERT INTO uid VALUES
  (x'01000000736c696365', x'01010101010101010101010101010101', 10, -1),
  (x'020000006f766572', x'02020202020202020202020202020202', 11, -1),
  (x'01000000736d616c6c', x'03030303030303030303030303030303', 20, 0),
  (x'010000006d6f766564', x'04040404040404040404040404040404', 12, -1);
)sql";

void run(const std::string& path, const std::string& sql) {
    sqlite3* connection = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &connection), SQLITE_OK);
    char* reason = nullptr;
    EXPECT_EQ(sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, &reason), SQLITE_OK) << reason;
    sqlite3_free(reason);
    sqlite3_close(connection);
}

class SchemaTest : public testing::Test {
protected:
    SchemaTest() : directory_(testing::TempDir() + "queue_schema_test." + std::to_string(::getpid())) {
        std::filesystem::create_directories(directory_);
        config_.path = directory_ + "/queue.db";
    }
    ~SchemaTest() override { std::filesystem::remove_all(directory_); }

    std::string directory_;
    Config config_;
};

struct Seen {
    int32_t state = 0;
    uint32_t live_items = 0;
    int64_t planned = 0, settled = 0;
};

std::map<std::string, Seen> look_up(Queue& queue, const std::string& app, const std::vector<std::string>& uids) {
    std::vector<belfry_str> rows;
    for (const std::string& uid : uids) rows.push_back(str(std::string_view(uid)));
    std::map<std::string, Seen> seen;
    queue.lookup(
        str(std::string_view(app)), list_of(rows),
        [](void* ctx, belfry_list list) -> int32_t {
            for (const belfry_push_row& row : Rows<belfry_push_row>(list)) {
                Seen& one = (*static_cast<std::map<std::string, Seen>*>(ctx))[text(row.uid)];
                one = {row.state, row.live_items, row.planned, 0};
                for (const belfry_tally& tally : Rows<belfry_tally>(row.tallies)) one.settled += tally.n;
            }
            return 0;
        },
        &seen);
    return seen;
}

belfry_code enqueue(Queue& queue, const std::string& app, const std::string& uid, char fingerprint) {
    auto push = sized<belfry_new_push>();
    push.lane = BELFRY_LANE_NORMAL;
    push.app = str(std::string_view(app));
    push.uid = str(std::string_view(uid));
    std::memset(push.fingerprint, fingerprint, sizeof push.fingerprint);
    belfry_code code = -1;
    queue.enqueue(
        one_row(push),
        [](void* ctx, belfry_list rows) -> int32_t {
            *static_cast<belfry_code*>(ctx) = BELFRY_CODE_CLASS(Rows<belfry_enqueued>(rows)[0].code);
            return 0;
        },
        &code);
    return code;
}

TEST_F(SchemaTest, AFileOfVersion1OpensWithEverythingInIt) {
    run(config_.path, std::string("PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;") + kVersion1 + kRows1);
    for (int opening = 0; opening < 2; ++opening) {
        Queue queue(nullptr, config_);
        const auto seen = look_up(queue, "default", {"slice", "small", "moved", "over"});
        ASSERT_EQ(seen.size(), 3u);
        EXPECT_EQ(seen.at("slice").state, BELFRY_PUSH_RUNNING);
        EXPECT_EQ(seen.at("slice").planned, 7);
        EXPECT_EQ(seen.at("slice").settled, 5);
        EXPECT_EQ(seen.at("small").state, BELFRY_PUSH_CANCELLED);
        EXPECT_EQ(seen.at("small").planned, 4);
        EXPECT_EQ(seen.at("moved").live_items, 1u);
        EXPECT_EQ(look_up(queue, "shop", {"over"}).at("over").state, BELFRY_PUSH_DONE);
        // Uids are taken as before, with their fingerprints.
        EXPECT_EQ(enqueue(queue, "default", "slice", 1), BELFRY_DUPLICATE);
        EXPECT_EQ(enqueue(queue, "shop", "over", 2), BELFRY_DUPLICATE);
        EXPECT_EQ(enqueue(queue, "default", "small", 3), BELFRY_DUPLICATE);
        EXPECT_EQ(enqueue(queue, "default", "moved", 4), BELFRY_DUPLICATE);
        EXPECT_EQ(enqueue(queue, "default", "moved", 5), BELFRY_CONFLICT);
    }
}

TEST_F(SchemaTest, WorkOfVersion1IsClaimedAndReplayed) {
    run(config_.path, std::string("PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;") + kVersion1 + kRows1);
    Queue queue(nullptr, config_);
    const uint64_t letter = 50;
    EXPECT_EQ(queue.replay(str("shop"), one_row(letter), false), 1u);
    std::map<std::string, int> claimed;
    queue.claim(
        kNode, BELFRY_LANE_NORMAL, one_row(uint32_t{1}), 10, 0,
        [](void* ctx, belfry_list rows) -> int32_t {
            auto& into = *static_cast<std::map<std::string, int>*>(ctx);
            for (const belfry_claimed& row : Rows<belfry_claimed>(rows)) {
                ++into[text(row.uid)];
                for (const belfry_member& member : Rows<belfry_member>(row.members)) {
                    ++into[text(member.uid) + "/" + text(member.body) + "/" + std::to_string(member.flags)];
                }
            }
            return 0;
        },
        &claimed);
    EXPECT_EQ(claimed, (std::map<std::string, int>{
                           {"", 1}, {"slice", 1}, {"moved", 1}, {"over", 1}, {"small/body of small/1", 1}}));
    belfry_queue_stats stats{};
    queue.stats(stats);
    EXPECT_EQ(stats.delayed, 1);
}

// A file of version 1 with so many pushes, an item and a body each, and finished bundles of small ones.
constexpr int kBigPushes = 100'000, kBigBundles = 400;

std::string results_of_big_bundle(int bundle) {
    Packer out;
    out.number(kBundleMembersMax);
    for (uint32_t i = 0; i < kBundleMembersMax; ++i) {
        out.number(uint32_t{1});
        out.text("small-" + std::to_string(bundle) + "-" + std::to_string(i));
        out.number(int32_t{BELFRY_PUSH_DONE});
        // Expires, finished, moved to, planned.
        for (const int64_t fact : {int64_t{0}, int64_t{4102444800000}, int64_t{0}, int64_t{1}}) out.number(fact);
        pack_tallies(out, {});
        pack_samples(out, {});
    }
    return out.take();
}

void make_big_file(const std::string& path) {
    const std::string many = "WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i+1 FROM n WHERE i<" +
                             std::to_string(kBigPushes - 1) + ") INSERT INTO ";
    const std::string bundle_uids = "WITH RECURSIVE b(j) AS (VALUES(0) UNION ALL SELECT j+1 FROM b WHERE j<" +
                                    std::to_string(kBigBundles - 1) +
                                    "), m(i) AS (VALUES(0) UNION ALL SELECT i+1 FROM m WHERE i<" +
                                    std::to_string(kBundleMembersMax - 1) + ") INSERT INTO ";
    run(path, std::string("PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; BEGIN;") +
                  kVersion1 + "INSERT INTO counter VALUES ('next_id', 10000001), ('opened', 1);" +
                  "INSERT INTO app VALUES (1, 'default');" + many +
                  "push SELECT 100000+i,1,0,x'00000000',x'00000000',2,2,0,5000000+i,0,1,1,1000,0,CAST('uid-'||i AS "
                  "BLOB) FROM n;" +
                  many + "item SELECT 1000000+i,0,0,i,1000,0,0,100000+i,2,2,0,0,1,0,x'0900000000000000' FROM n;" +
                  many + "blob SELECT 5000000+i, CAST('body' AS BLOB) FROM n;" + many +
                  "uid SELECT CAST(x'01000000'||('uid-'||i) AS BLOB), x'01010101010101010101010101010101', 100000+i, "
                  "-1 FROM n;" +
                  bundle_uids +
                  "uid SELECT CAST(x'01000000'||('small-'||j||'-'||i) AS BLOB), x'02020202020202020202020202020202', "
                  "2000000+j, i FROM b, m; COMMIT;");
    sqlite3* connection = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &connection), SQLITE_OK);
    sqlite3_exec(connection, "PRAGMA synchronous=OFF; BEGIN", nullptr, nullptr, nullptr);
    sqlite3_stmt* insert = nullptr;
    ASSERT_EQ(sqlite3_prepare_v2(connection, "INSERT INTO bundle VALUES (2000000+?1, 2, 1000, 4102444800000, 0, ?2)",
                                 -1, &insert, nullptr),
              SQLITE_OK);
    for (int bundle = 0; bundle < kBigBundles; ++bundle) {
        const std::string results = results_of_big_bundle(bundle);
        sqlite3_bind_int(insert, 1, bundle);
        sqlite3_bind_blob(insert, 2, results.data(), static_cast<int>(results.size()), SQLITE_STATIC);
        EXPECT_EQ(sqlite3_step(insert), SQLITE_DONE);
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    sqlite3_exec(connection, "COMMIT", nullptr, nullptr, nullptr);
    sqlite3_close(connection);
}

void expect_big_file_converted(Queue& queue) {
    belfry_queue_stats stats{};
    queue.stats(stats);
    EXPECT_EQ(stats.running_pushes, kBigPushes);
    for (int i = 0; i < kBigPushes; i += 997) {
        EXPECT_EQ(enqueue(queue, "default", "uid-" + std::to_string(i), 1), BELFRY_DUPLICATE) << i;
        EXPECT_EQ(enqueue(queue, "default", "uid-" + std::to_string(i), 3), BELFRY_CONFLICT) << i;
    }
    for (int bundle = 0; bundle < kBigBundles; bundle += 7) {
        const std::string uid = "small-" + std::to_string(bundle) + "-" + std::to_string(bundle % 256);
        EXPECT_EQ(enqueue(queue, "default", uid, 2), BELFRY_DUPLICATE) << uid;
        EXPECT_EQ(enqueue(queue, "default", uid, 3), BELFRY_CONFLICT) << uid;
    }
}

// Kills the process when so many rows of pushes have been changed.
constexpr int kChangesBeforeTheKill = kBigPushes / 2;

int die_in_the_middle(sqlite3* connection, char**, const sqlite3_api_routines*) {
    static int changes = 0;
    sqlite3_update_hook(
        connection,
        [](void*, int operation, const char*, const char* table, sqlite3_int64) {
            if (operation != SQLITE_UPDATE || std::string(table) != "push") return;
            if (++changes == kChangesBeforeTheKill) ::kill(::getpid(), SIGKILL);
        },
        nullptr);
    return SQLITE_OK;
}

TEST_F(SchemaTest, ABigFileIsConvertedInLittleMemoryAndAKillInTheMiddleCostsNothing) {
    make_big_file(config_.path);
    const pid_t child = ::fork();
    if (child == 0) {
        sqlite3_auto_extension(reinterpret_cast<void (*)()>(&die_in_the_middle));
        const Queue queue(nullptr, config_);
        ::_exit(0);
    }
    int ended = 0;
    ASSERT_EQ(::waitpid(child, &ended, 0), child);
    ASSERT_TRUE(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL) << "it was to be killed while it converts";

    sqlite3_memory_highwater(1);
    const int64_t before = sqlite3_memory_used();
    const auto began = std::chrono::steady_clock::now();
    {
        Queue queue(nullptr, config_);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
        RecordProperty("seconds", std::to_string(took.count()));
        EXPECT_LT(took.count(), kBigFileSecondsMax);
        const int64_t most = sqlite3_memory_highwater(0) - before;
        EXPECT_LT(most, int64_t{config_.cache_mib} * 2 << 20);
        EXPECT_GT(static_cast<int64_t>(std::filesystem::file_size(config_.path)), most) << "the bound means nothing";
        expect_big_file_converted(queue);
    }
    Queue again(nullptr, config_);
    expect_big_file_converted(again);
}

TEST_F(SchemaTest, AFileOfANewerVersionIsRefusedInOneLine) {
    { const Queue queue(nullptr, config_); }
    run(config_.path, "INSERT INTO belfry_schema (version) VALUES (99)");
    try {
        const Queue queue(nullptr, config_);
        FAIL() << "opened a newer file";
    } catch (const sqlite::Failure& refused) {
        EXPECT_EQ(refused.code(), BELFRY_CONFIG);
        const std::string text = refused.what();
        EXPECT_NE(text.find("schema 99"), std::string::npos) << text;
        EXPECT_NE(text.find("restore a backup"), std::string::npos) << text;
        EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    }
}

}  // namespace
}  // namespace belfry::queue_sqlite
