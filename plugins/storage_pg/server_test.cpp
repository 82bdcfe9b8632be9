// SPDX-License-Identifier: Apache-2.0
// What the specification cannot say of every storage: replicas, plans, lost servers. Needs a server and its standby
// (BELFRY_TEST_PG_DSN, BELFRY_TEST_PG_STANDBY_DSN; tests/postgres).
#include <belfry/storage.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <belfry/abi.hpp>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "conformance/runner/plugin.h"
#include "pg/connection.h"
#include "postgres/relay.h"

namespace belfry::storage_pg {
namespace {

using namespace std::chrono_literals;
using conformance::FakeHost;
using conformance::Instance;

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}
const std::string kPrimary = variable("BELFRY_TEST_PG_DSN");
const std::string kStandby = variable("BELFRY_TEST_PG_STANDBY_DSN");
constexpr const char* kNowhere = "host=127.0.0.1 port=1 user=belfry dbname=belfry";

pg::Deadline soon() {
    return pg::Clock::now() + 10s;
}

class StoragePg : public testing::Test {
protected:
    void open(const std::string& more = "") {
        instance_ = std::make_unique<Instance>(host_, BELFRY_STORAGE_PG_SO,
                                               R"({"dsn":")" + dsn_ + R"(","schema":")" + schema_ + "\"" + more + "}",
                                               BELFRY_STORAGE_ID);
        table_ = static_cast<const belfry_storage*>(instance_->interface_table());
    }
    void TearDown() override {
        instance_.reset();
        std::filesystem::remove_all(directory_);
        pg::Connection(pg::Address(kPrimary)).run("DROP SCHEMA IF EXISTS \"" + schema_ + "\" CASCADE", {}, soon());
    }

    // The row looks at the token.
    static belfry_registration row_of(std::string&& token) = delete;
    static belfry_registration row_of(const std::string& token) {
        static const belfry_str topic = str("news");
        auto row = sized<belfry_registration>();
        row.key = -1;
        std::memcpy(row.identity_hash, token.data(), std::min<size_t>(token.size(), 16));
        std::memcpy(row.token_hash, token.data(), std::min<size_t>(token.size(), 16));
        row.provider = str("fcm");
        row.token = str(std::string_view(token));
        row.topics = one_row(topic);
        return row;
    }
    belfry_code register_some(int from, int to, int64_t* key = nullptr) {
        std::vector<std::string> tokens;
        std::vector<belfry_registration> rows;
        for (int i = from; i < to; ++i) tokens.push_back("token-" + std::to_string(i));
        for (const auto& token : tokens) rows.push_back(row_of(token));
        return collect<belfry_registered>(
            [&](belfry_emit emit, void* ctx) {
                return table_->register_devices(instance_->get(), str("default"), list_of(rows), emit, ctx, &why_);
            },
            [&](const belfry_registered& row) {
                EXPECT_EQ(row.code, BELFRY_OK);
                if (key != nullptr) *key = row.key;
            });
    }
    // Members of the topic, or -1.
    int members() {
        auto scan = sized<belfry_scan>();
        scan.app = str("default");
        scan.value = str("news");
        scan.by = BELFRY_BY_TOPIC;
        scan.want = scan.budget_rows = 100000;
        scan.fields = BELFRY_FIELD_TOKEN;
        scan.after = -1;
        scan.hi = BELFRY_KEY_END;
        int n = 0;
        int64_t cursor = 0;
        int32_t end = 0;
        const belfry_code code = collect<belfry_device>(
            [&](belfry_emit emit, void* ctx) {
                return table_->scan(instance_->get(), &scan, emit, ctx, &cursor, &end, &why_);
            },
            [&](const belfry_device&) { ++n; });
        return code == BELFRY_OK && end == 1 ? n : -1;
    }
    bool comes_to(int wanted, std::chrono::milliseconds within) {
        for (const auto end = pg::Clock::now() + within; pg::Clock::now() < end; std::this_thread::sleep_for(10ms)) {
            if (members() == wanted) return true;
        }
        return members() == wanted;
    }

    // The plugin's way goes through a relay that loses answers.
    void open_behind_relay() {
        const std::map<std::string, std::string> parts = pg::Address(kPrimary).parts;
        relay_ = std::make_unique<tests::Relay>(static_cast<uint16_t>(std::stoi(parts.at("port"))));
        dsn_ = "postgresql://" + parts.at("user") + "@127.0.0.1:" + std::to_string(relay_->port()) + "/" +
               parts.at("dbname") + "?sslmode=disable";
        open();
    }
    belfry_code cas(std::string_view value, int64_t version) {
        auto kv = sized<belfry_kv>();
        kv.key = str(std::string_view("key"));
        kv.value = str(value);
        kv.version = version;
        return BELFRY_CODE_CLASS(table_->kv_cas(instance_->get(), &kv, &why_));
    }
    belfry_code remove(int64_t key) {
        auto which = sized<belfry_selection>();
        which.keys = one_row(key);
        belfry_code answer = BELFRY_INTERNAL;
        const belfry_code code = collect<belfry_item_result>(
            [&](belfry_emit emit, void* ctx) {
                return table_->remove_devices(instance_->get(), str("default"), &which, emit, ctx, &why_);
            },
            [&](const belfry_item_result& row) { answer = row.code; });
        return BELFRY_CODE_CLASS(code == BELFRY_OK ? answer : code);
    }

    std::string dsn_ = kPrimary;
    std::unique_ptr<tests::Relay> relay_;
    const std::string schema_ = "server_test_" + std::to_string(::getpid());
    const std::filesystem::path directory_ =
        std::filesystem::temp_directory_path() / ("belfry-" + schema_);  // of a state that this plugin does not use
    FakeHost host_{directory_.string()};
    std::unique_ptr<Instance> instance_;
    const belfry_storage* table_ = nullptr;
    belfry_why why_{};
};

TEST_F(StoragePg, AFreshReplicaIsReadAndAStaleOneIsNot) {
    open(R"(,"max_lag_ms":1500,"replicas":[")" + std::string(kNowhere) + R"(",")" + kStandby + R"("])");
    ASSERT_EQ(register_some(0, 100), BELFRY_OK) << why_.text;
    pg::Connection standby{pg::Address(kStandby)};
    const auto has_read = [&] {
        return standby
                   .run(
                       "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'belfry' AND pid <> "
                       "pg_backend_pid() AND query LIKE '%FROM subscription%'",
                       {}, soon())
                   .number(0, 0) > 0;
    };
    for (const auto end = pg::Clock::now() + 5s; !has_read() && pg::Clock::now() < end;) EXPECT_EQ(members(), 100);
    ASSERT_TRUE(has_read()) << "no scan came to the replica";
    ASSERT_TRUE(comes_to(100, 5s)) << why_.text;
    standby.run("SELECT pg_wal_replay_pause()", {}, soon());
    ASSERT_EQ(register_some(100, 150), BELFRY_OK) << why_.text;
    EXPECT_EQ(members(), 100) << "the replica does not have the later ones, and is fresh enough to be read";
    EXPECT_TRUE(comes_to(150, 4s)) << "once it is too far behind, the primary is read";
    for (int i = 0; i < 20; ++i) EXPECT_EQ(members(), 150);
    standby.run("SELECT pg_wal_replay_resume()", {}, soon());
    EXPECT_TRUE(comes_to(150, 4s));
}

TEST_F(StoragePg, WhatAReplicaSaysCannotRemoveAFresherToken) {
    open(R"(,"replicas":[")" + kStandby + R"("])");
    int64_t key = -1;
    ASSERT_EQ(register_some(7, 8, &key), BELFRY_OK) << why_.text;
    const std::string fresh = "token-fresh";
    auto row = row_of(fresh);
    row.key = key;
    ASSERT_EQ(collect<belfry_registered>(
                  [&](belfry_emit emit, void* ctx) {
                      return table_->register_devices(instance_->get(), str("default"), one_row(row), emit, ctx, &why_);
                  },
                  [](const belfry_registered&) {}),
              BELFRY_OK);
    auto fact = sized<belfry_fact>();
    fact.key = key;
    std::memcpy(fact.token_hash, "token-7", 7);
    belfry_code judged = BELFRY_OK;
    collect<belfry_fact_result>(
        [&](belfry_emit emit, void* ctx) {
            return table_->invalidate(instance_->get(), str("default"), one_row(fact), emit, ctx, &why_);
        },
        [&](const belfry_fact_result& result) { judged = result.code; });
    EXPECT_EQ(judged, BELFRY_CONFLICT);
}

TEST_F(StoragePg, CallsGoOnWhenAllSessionsWereEnded) {
    open();
    ASSERT_EQ(register_some(0, 10), BELFRY_OK) << why_.text;
    ASSERT_EQ(members(), 10);
    pg::Connection(pg::Address(kPrimary))
        .run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'belfry' AND pid <> "
            "pg_backend_pid()",
            {}, soon());
    EXPECT_EQ(members(), 10) << why_.text;
    EXPECT_EQ(register_some(10, 20), BELFRY_OK) << why_.text;
    EXPECT_EQ(members(), 20);
}

TEST_F(StoragePg, AFanOutPageIsOneIndexOnlyWalk) {
    open();
    ASSERT_EQ(register_some(0, 3000), BELFRY_OK) << why_.text;
    pg::Address address(kPrimary);
    address.schema = schema_;
    pg::Connection connection(address);
    // Rows become visible to all when no older snapshot is left, which autovacuum may hold for a moment.
    std::string text;
    for (int tries = 0; tries < 100 && text.find("Heap Fetches: 0") == std::string::npos; ++tries) {
        if (tries > 0) std::this_thread::sleep_for(std::chrono::milliseconds(100));
        connection.run("VACUUM ANALYZE subscription", {}, soon());
        const pg::Result plan = connection.run(
            "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT key, variant, provider, platform, timezone, "
            "locale, token, data FROM subscription WHERE topic = (SELECT id FROM topic WHERE app = 1 AND name = "
            "'news') AND key > 5 AND key < 99999 ORDER BY key LIMIT 1000",
            {}, soon());
        text.clear();
        for (int row = 0; row < plan.rows(); ++row) text += std::string(plan.bytes(row, 0)) + "\n";
    }
    EXPECT_NE(text.find("Index Only Scan using subscription_pkey"), std::string::npos) << text;
    EXPECT_NE(text.find("Heap Fetches: 0"), std::string::npos) << text;
    EXPECT_EQ(text.find("Sort"), std::string::npos) << text;
}

TEST_F(StoragePg, AnUnreachableServerIsSaidAtStart) {
    belfry_why why{};
    const belfry_code code =
        Instance::try_start(host_, BELFRY_STORAGE_PG_SO, R"({"dsn":")" + std::string(kNowhere) + "\"}", &why);
    EXPECT_EQ(code, BELFRY_RETRY_LATER) << why.text;
    EXPECT_NE(std::string(static_cast<const char*>(why.text)).find("port 1"), std::string::npos) << why.text;
}

TEST_F(StoragePg, AMissingDatabaseIsTheOperatorsToMend) {
    belfry_why why{};
    const std::string dsn = kPrimary.substr(0, kPrimary.rfind('/')) + "/no_such_database";
    const belfry_code code = Instance::try_start(host_, BELFRY_STORAGE_PG_SO, R"({"dsn":")" + dsn + "\"}", &why);
    EXPECT_EQ(code, BELFRY_CONFIG) << why.text;
    EXPECT_NE(std::string(static_cast<const char*>(why.text)).find("no_such_database"), std::string::npos) << why.text;
}

TEST_F(StoragePg, AChangeOfAStateInDoubtThatWasMadeIsNoConflict) {
    open_behind_relay();
    for (int64_t version = 0; version < 2; ++version) {
        relay_->lose_answer_to(version == 0 ? "INSERT INTO kv" : "UPDATE kv");
        EXPECT_EQ(cas("value " + std::to_string(version), version), BELFRY_OK) << why_.text;
        EXPECT_TRUE(relay_->has_lost_it());
    }
    EXPECT_EQ(cas("another", 1), BELFRY_CONFLICT) << "the version is 2";
}

TEST_F(StoragePg, ARemovalInDoubtIsNotAnsweredWithNotFound) {
    open_behind_relay();
    int64_t key = -1;
    ASSERT_EQ(register_some(0, 1, &key), BELFRY_OK) << why_.text;
    relay_->lose_answer_to("COMMIT");
    EXPECT_EQ(remove(key), BELFRY_RETRY_LATER) << "nobody knows whether it was done";
    EXPECT_EQ(remove(key), BELFRY_NOT_FOUND);
}

TEST_F(StoragePg, ADeviceWhoseIdentityChangesUnderAWaitingRemovalIsFound) {
    open();
    int64_t key = -1;
    ASSERT_EQ(register_some(0, 1, &key), BELFRY_OK) << why_.text;
    pg::Address place(kPrimary);
    place.schema = schema_;
    pg::Connection other(place);
    // As a rotation of its token does it.
    other.send("BEGIN");
    other.send("CREATE TEMP TABLE moved ON COMMIT DROP AS SELECT * FROM device");
    other.send("DELETE FROM device");
    other.send("INSERT INTO device SELECT * FROM moved");
    other.trip(soon());
    std::thread waits([&] { EXPECT_EQ(remove(key), BELFRY_OK) << why_.text; });
    pg::Connection watcher{pg::Address(kPrimary)};
    const auto is_waiting = [&] {
        return watcher.run("SELECT count(*) FROM pg_locks WHERE NOT granted", {}, soon()).number(0, 0) > 0;
    };
    for (const auto end = pg::Clock::now() + 5s; !is_waiting() && pg::Clock::now() < end;)
        std::this_thread::sleep_for(5ms);
    other.run("COMMIT", {}, soon());
    waits.join();
}

TEST_F(StoragePg, AServerIsKnownByItsHistoryAndAStandbyHasNone) {
    EXPECT_FALSE(pg::Connection(pg::Address(kPrimary)).history().empty());
    EXPECT_EQ(pg::Connection(pg::Address(kPrimary)).history(), pg::Connection(pg::Address(kPrimary)).history());
    EXPECT_TRUE(pg::Connection(pg::Address(kStandby)).history().empty());
}

}  // namespace
}  // namespace belfry::storage_pg
