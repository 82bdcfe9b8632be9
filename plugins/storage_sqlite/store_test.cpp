// SPDX-License-Identifier: Apache-2.0
// What the specification cannot see from outside: query plans, the dictionary's bounds, what a rollback leaves in
// memory, and files that are broken, foreign or from the future.
#include "storage_sqlite/store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <belfry/abi.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "sqlite/failure.h"
#include "storage/limits.h"
#include "storage_sqlite/store_rig.h"

namespace belfry::storage {
namespace {

std::vector<std::string> plans_of(sqlite::Database& database) {
    std::vector<std::string> queries;
    for (sqlite3_stmt* s = sqlite3_next_stmt(database.connection(), nullptr); s != nullptr;
         s = sqlite3_next_stmt(database.connection(), s)) {
        queries.emplace_back(sqlite3_sql(s));
    }
    std::vector<std::string> plans;
    for (const std::string& sql : queries) {
        sqlite::Statement plan = database.prepare("EXPLAIN QUERY PLAN " + sql);
        while (plan.step()) plans.push_back(std::string(plan.text(3)) + " for " + sql);
    }
    return plans;
}

TEST_F(SqliteStore, EveryQueryWalksAnIndexWithoutSorting) {
    std::vector<std::string> plans = plans_of(store().writer().database());
    for (const std::string& plan : plans_of(store().reader()->database())) plans.push_back(plan);
    EXPECT_GT(plans.size(), 30U);
    for (const std::string& plan : plans) {
        EXPECT_NE(plan.rfind("SCAN", 0), 0U) << plan;
        EXPECT_EQ(plan.find("TEMP B-TREE"), std::string::npos) << plan;
    }
}

TEST_F(SqliteStore, KeyRangesOfDevicesAreReadFromTheDeviceTableItself) {
    for (const std::string& plan : plans_of(store().reader()->database())) {
        const bool is_range =
            plan.find("FROM device") != std::string::npos && plan.find("key > ?2") != std::string::npos;
        if (!is_range || plan.find("user = ") != std::string::npos) continue;
        EXPECT_NE(plan.find("PRIMARY KEY (app=? AND key>"), std::string::npos) << plan;
    }
}

TEST_F(SqliteStore, DevicesBeyondTheDictionaryKeepTheirWords) {
    const uint32_t room = Traits::room_for(Word::Provider);
    std::vector<std::string> providers;
    for (uint32_t i = 0; i < room + 20; ++i) providers.push_back("provider-" + std::to_string(i));
    const belfry_str topic{"x", 1};
    const std::vector<std::string> names = tokens(providers.size(), "token of provider-");
    std::vector<belfry_registration> rows;
    for (size_t i = 0; i < providers.size(); ++i) {
        rows.push_back(sized<belfry_registration>());
        rows.back().key = -1;
        rows.back().provider = str(std::string_view(providers[i]));
        rows.back().token = str(std::string_view(names[i]));
        rows.back().identity_hash[0] = static_cast<uint8_t>(i);
        rows.back().identity_hash[1] = static_cast<uint8_t>(i >> 8U);
        rows.back().topics = one_row(topic);
        rows.back().variant = 5;
    }
    add_rows(rows);
    EXPECT_EQ(value("SELECT count(*) FROM word WHERE kind = 0"), std::to_string(room - 1));
    EXPECT_EQ(value("SELECT count(*) FROM device WHERE traits = -1"), "21");
    belfry_scan scan = sized<belfry_scan>();
    scan.by = BELFRY_BY_TOPIC;
    scan.app = str(kApp);
    scan.value = topic;
    scan.fields = BELFRY_FIELD_PROVIDER | BELFRY_FIELD_TOKEN;
    scan.want = scan.budget_rows = 1000;
    scan.after = -1;
    scan.hi = BELFRY_KEY_END;
    size_t right = 0;
    int64_t cursor = 0;
    int32_t end = 0;
    collect<belfry_device>(
        [&](belfry_emit emit, void* ctx) {
            store().reader()->scan(
                scan, [] { return true; }, emit, ctx, &cursor, &end);
            return BELFRY_OK;
        },
        [&](const belfry_device& row) {
            if (text(row.token) == "token of " + text(row.provider) && row.variant == 5) ++right;
        });
    EXPECT_EQ(right, providers.size());
    belfry_selection which = sized<belfry_selection>();
    const std::vector<belfry_str> wanted{str(std::string_view(providers.front())),
                                         str(std::string_view(providers.back()))};
    which.providers = list_of(wanted);
    int64_t n = 0;
    store().reader()->count(
        kApp, which, [] { return true; }, &n);
    EXPECT_EQ(n, 2);
}

TEST_F(SqliteStore, RollbackForgetsWhatTheTransactionGaveNames) {
    const belfry_str topic{"x", 1};
    belfry_registration row = sized<belfry_registration>();
    row.topics = one_row(topic);
    row.platform = belfry_str{"android", 7};
    store().writer().database().value("PRAGMA max_page_count=1");
    EXPECT_THROW(
        {
            for (int i = 0; i < 100; ++i) add(tokens(100, "token" + std::to_string(i) + "-"), row);
        },
        sqlite::Failure);
    store().writer().database().value("PRAGMA max_page_count=1000000");
    const std::string devices = value("SELECT count(*) FROM device");
    add({"after"}, row);
    EXPECT_EQ(value("SELECT count(*) FROM device"), std::to_string(std::stoi(devices) + 1));
    EXPECT_EQ(value("SELECT count(*) FROM subscription s JOIN topic t ON t.id = s.topic WHERE t.name = 'x'"),
              value("SELECT count(*) FROM device"));
    EXPECT_EQ(value("SELECT count(*) FROM word WHERE kind = 1 AND text = 'android'"), "1");
    EXPECT_EQ(value("SELECT value FROM counter WHERE name = 'sequence'"), value("SELECT max(key) FROM device"));
}

TEST_F(SqliteStore, TopicsWithoutMembersAndBindingsAreForgotten) {
    const belfry_str topic{"x", 1};
    belfry_registration row = sized<belfry_registration>();
    row.topics = one_row(topic);
    add({"a"}, row);
    EXPECT_EQ(value("SELECT count(*) FROM topic"), "1");
    add({"a"});
    EXPECT_EQ(value("SELECT count(*) FROM topic"), "0");
    // A name that comes back must not lead to the number it had.
    add({"b"}, row);
    EXPECT_EQ(value("SELECT count(*) FROM subscription s JOIN topic t ON t.id = s.topic"), "1");
}

TEST_F(SqliteStore, SecondProcessIsRefusedByName) {
    store();
    belfry_why why{};
    EXPECT_EQ(start_code(&why), BELFRY_CONFIG);
    EXPECT_NE(std::string(why.text).find("storage.db.lock is locked by process"), std::string::npos) << why.text;
}

TEST_F(SqliteStore, FileFromTheFutureIsRefused) {
    store().writer().database().execute("INSERT INTO belfry_schema (version) VALUES (99)");
    store_.reset();
    belfry_why why{};
    EXPECT_EQ(start_code(&why), BELFRY_CONFIG);
    EXPECT_NE(std::string(why.text).find("has schema 99"), std::string::npos) << why.text;
}

TEST_F(SqliteStore, DamagedPageIsCorruptAndNotFewerRows) {
    const belfry_str topic{"x", 1};
    belfry_registration row = sized<belfry_registration>();
    row.topics = one_row(topic);
    add(tokens(500), row);
    const auto page = std::stoll(value("SELECT rootpage FROM sqlite_schema WHERE name = 'subscription'"));
    store_.reset();
    {
        std::fstream raw(file(), std::ios::in | std::ios::out | std::ios::binary);
        raw.seekp((page - 1) * 4096);
        raw << std::string(4096, '\x5a');
    }
    belfry_scan scan = sized<belfry_scan>();
    scan.by = BELFRY_BY_TOPIC;
    scan.app = str(kApp);
    scan.value = topic;
    scan.want = scan.budget_rows = 1000;
    scan.after = -1;
    scan.hi = BELFRY_KEY_END;
    int64_t cursor = 0;
    int32_t end = 0;
    belfry_why why{};
    const belfry_emit ignore = [](void*, belfry_list) -> int32_t { return 0; };
    const belfry_code code = sqlite::guarded(&why, [&] {
        store().reader()->scan(
            scan, [] { return true; }, ignore, nullptr, &cursor, &end);
    });
    EXPECT_EQ(code, BELFRY_CORRUPT);
    EXPECT_NE(std::string(why.text).find("restore the file"), std::string::npos) << why.text;
}

TEST_F(SqliteStore, ReadersLeaveNoSnapshotBehind) {
    add({"a"});
    const auto use = [&] {
        belfry_scan scan = sized<belfry_scan>();
        scan.by = BELFRY_BY_ALL;
        scan.app = str(kApp);
        scan.fields = BELFRY_FIELD_TOPICS;
        scan.want = scan.budget_rows = 10;
        scan.after = -1;
        scan.hi = BELFRY_KEY_END;
        int64_t cursor = 0;
        int32_t end = 0;
        const belfry_emit ignore = [](void*, belfry_list) -> int32_t { return 0; };
        auto reader = store().reader();
        reader->scan(
            scan, [] { return true; }, ignore, nullptr, &cursor, &end);
        const std::vector<int64_t> keys{0, 1};
        reader->fetch(
            kApp, BELFRY_BY_KEY, list_of(keys), 1, BELFRY_FIELD_META, [] { return true; }, ignore, nullptr);
        EXPECT_EQ(sqlite3_txn_state(reader->database().connection(), nullptr), SQLITE_TXN_NONE);
    };
    use();
    EXPECT_TRUE(store().writer().database().checkpoint());
}

// Bytes of pages that a connection holds.
int64_t cache_used(const sqlite::Database& database) {
    int now = 0;
    int highest = 0;
    sqlite3_db_status(database.connection(), SQLITE_DBSTATUS_CACHE_USED, &now, &highest, 0);
    return now;
}

TEST_F(SqliteStore, CachesStayInTheirShareHoweverLargeTheFile) {
    cache_mib_ = 2;
    belfry_registration row = sized<belfry_registration>();
    const std::string meta(4000, 'm');
    row.meta = str(std::string_view(meta));
    for (int i = 0; i < 5; ++i) add(tokens(400, "token" + std::to_string(i) + "-"), row);
    ASSERT_GT(std::filesystem::file_size(file() + "-wal") + std::filesystem::file_size(file()), 8U << 20);
    const auto scan_everything = [&](const Store::Lease& reader) {
        belfry_scan scan = sized<belfry_scan>();
        scan.by = BELFRY_BY_ALL;
        scan.app = str(kApp);
        scan.fields = BELFRY_FIELD_META;
        scan.want = scan.budget_rows = 10000;
        scan.after = -1;
        scan.hi = BELFRY_KEY_END;
        int64_t cursor = 0;
        int32_t end = 0;
        const belfry_emit ignore = [](void*, belfry_list) -> int32_t { return 0; };
        reader->scan(
            scan, [] { return true; }, ignore, nullptr, &cursor, &end);
    };
    const Store::Lease first = store().reader();
    const Store::Lease second = store().reader();
    scan_everything(first);
    scan_everything(second);
    const int64_t used =
        cache_used(store().writer().database()) + cache_used(first->database()) + cache_used(second->database());
    EXPECT_GT(used, 1 << 20);
    // A tenth more for what SQLite keeps beside each page.
    EXPECT_LT(used, (2 << 20) * 11 / 10);
    EXPECT_EQ(first->database().value("PRAGMA mmap_size"), "0");
    EXPECT_EQ(value("PRAGMA mmap_size"), "0");
}

TEST_F(SqliteStore, ListsNeverTakeTheLastReader) {
    constexpr int64_t kAtOnce = 2;  // of a clock that stands at 1 ns
    const Store::Lease list = store().reader(kAtOnce, Store::Need::Look);
    EXPECT_THROW(store().reader(kAtOnce, Store::Need::Look), sqlite::Failure);
    EXPECT_NO_THROW(store().reader(kAtOnce));
}

TEST_F(SqliteStore, LeavesOutATotalThatTakesTooLong) {
    add(tokens(400, "token-"));
    auto paging = sized<belfry_paging>();
    paging.limit = 1;
    paging.want_total = 1;
    const auto total = [&](bool in_time) {
        auto end = sized<belfry_page_end>();
        uint32_t rows = 0;
        const belfry_emit see = [](void* ctx, belfry_list list) -> int32_t {
            *static_cast<uint32_t*>(ctx) += list.n;
            return 0;
        };
        store().reader()->list_devices(
            kApp, sized<belfry_selection>(), paging, [=] { return in_time; }, see, &rows, &end);
        EXPECT_EQ(rows, 1u);
        return end.total;
    };
    EXPECT_EQ(total(true), 400);
    EXPECT_EQ(total(false), -1);
}

TEST_F(SqliteStore, ACountThatFindsNothingKeepsItsDeadline) {
    add(tokens(400, "token-"));
    const belfry_str nowhere = str("nowhere");
    auto which = sized<belfry_selection>();
    which.platforms = one_row(nowhere);
    int64_t n = 0;
    EXPECT_THROW(store().reader()->count(
                     kApp, which, [] { return false; }, &n),
                 sqlite::Failure);
}

TEST(SqliteStoreConfig, LeavesHalfOfTheProcessesCachesToOthers) {
    constexpr uint32_t kAllCachesMib = 32;
    EXPECT_LE(Config().cache_mib, kAllCachesMib / 2);
}

TEST(SqliteStoreConfig, ReadsItsFieldsAndRefusesOthersValues) {
    const Config config = parse_config(R"({"path":"/a/b.db","readers":8,"cache_mib":32})");
    EXPECT_EQ(config.path, "/a/b.db");
    EXPECT_EQ(config.writer_cache_kib() + 8 * config.reader_cache_kib(), 32U * 1024);
    EXPECT_EQ(parse_config("{}").readers, 4U);
    for (const char* bad : {"", "[]", R"({"path":""})", R"({"path":1})", R"({"readers":0})", R"({"readers":"4"})",
                            R"({"cache_mib":1})"}) {
        EXPECT_THROW(parse_config(bad), sqlite::Failure) << bad;
    }
}

TEST_F(SqliteStore, ARestoredBackupGivesNoKeyAgain) {
    add({"before"});
    const std::string copy = (directory_ / "copy.db").string();
    store().writer().backup_to(copy);
    add(tokens(100, "after"));
    const int64_t given = std::stoll(value("SELECT value FROM counter WHERE name = 'sequence'"));
    EXPECT_EQ(given, 101);
    store_.reset();
    const auto restore = [&] {
        std::filesystem::copy_file(copy, file(), std::filesystem::copy_options::overwrite_existing);
        for (const char* end : {"-wal", "-shm"}) std::filesystem::remove(file() + end);
    };
    const auto next_key = [&](const std::string& token) {
        add({token});
        return std::stoll(value("SELECT max(key) FROM device"));
    };
    restore();
    const int64_t first = next_key("fresh");
    EXPECT_GT(first, given);
    store_.reset();
    EXPECT_EQ(next_key("another"), first + 1) << "one jump per restoration";
    store_.reset();

    // The same backup again, an hour later.
    restore();
    host_.unix_ms = 1000 + 3'600'000;
    EXPECT_GT(next_key("fresh"), first + 1);
    store_.reset();
    // A clock that went back makes no smaller jump than the least.
    restore();
    host_.unix_ms = 0;
    EXPECT_EQ(next_key("fresh"), first);
}

TEST_F(SqliteStore, RegistersManyInOneTransactionWhileNobodyWaits) {
    std::vector<std::string> names = tokens(kRowsPerTransactionAlone + 1);
    std::vector<belfry_registration> rows(names.size(), sized<belfry_registration>());
    for (size_t i = 0; i < rows.size(); ++i) {
        rows[i].key = -1;
        rows[i].token = str(std::string_view(names[i]));
        rows[i].provider = belfry_str{"fcm", 3};
        std::memcpy(rows[i].identity_hash, &i, sizeof i);
    }
    // One portion of results per transaction.
    std::vector<uint32_t> portions;
    store().writer().register_devices(
        kApp, list_of(rows),
        [](void* ctx, belfry_list results) {
            static_cast<std::vector<uint32_t>*>(ctx)->push_back(results.n);
            return 0;
        },
        &portions);
    EXPECT_EQ(portions, (std::vector<uint32_t>{kRowsPerTransactionAlone, 1}));
}

TEST(TurnLock, ServesThreadsInTheOrderTheyCame) {
    TurnLock lock;
    std::vector<char> order;
    lock.lock();
    std::thread other([&] {
        const std::lock_guard hold(lock);
        order.push_back('b');
    });
    while (lock.waiting() == 0) std::this_thread::yield();
    lock.unlock();
    // A plain mutex would let this thread in again first.
    lock.lock();
    order.push_back('a');
    lock.unlock();
    other.join();
    EXPECT_EQ(order, (std::vector<char>{'b', 'a'}));
}

}  // namespace
}  // namespace belfry::storage
