// SPDX-License-Identifier: Apache-2.0
// Files of every schema that was ever published are opened, brought up to date, and everything in them is found.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "storage_sqlite/store_rig.h"

namespace belfry::storage {
namespace {

constexpr int64_t kPacked = (int64_t{1} << 48) | (int64_t{7} << 40) | 1;
constexpr int64_t kTexts = (int64_t{1} << 48) | (int64_t{9} << 40) | 2;

class OldFile : public SqliteStore, public testing::WithParamInterface<int> {
protected:
    void SetUp() override {
        std::ifstream in(std::string(BELFRY_FIXTURES "/schema_") + std::to_string(GetParam()) + ".sql");
        std::stringstream sql;
        sql << in.rdbuf();
        ASSERT_FALSE(sql.str().empty());
        sqlite3* raw = nullptr;
        ASSERT_EQ(sqlite3_open(file().c_str(), &raw), SQLITE_OK);
        ASSERT_EQ(sqlite3_exec(raw, sql.str().c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(raw);
        sqlite3_close(raw);
    }
    struct Found {
        std::string provider, token, data, user, platform, timezone, locale, meta;
        std::vector<std::string> topics;
        uint32_t variant;
        int64_t created, updated, registered;
    };
    template <class Call>
    std::map<int64_t, Found> rows(const Call& call) {
        std::map<int64_t, Found> found;
        collect<belfry_device>(
            [&](belfry_emit emit, void* ctx) {
                call(emit, ctx);
                return BELFRY_OK;
            },
            [&](const belfry_device& row) {
                Found& one = found[row.key];
                one = {text(row.provider),    text(row.token),     text(row.data),
                       text(row.user),        text(row.platform),  text(row.timezone),
                       text(row.locale),      text(row.meta),      {},
                       row.variant,           row.created_unix_ms, row.updated_unix_ms,
                       row.registered_unix_ms};
                for (const belfry_str& topic : Rows<belfry_str>(row.topics)) one.topics.push_back(text(topic));
            });
        return found;
    }
    std::map<int64_t, Found> scan_news(uint32_t fields) {
        belfry_scan scan = sized<belfry_scan>();
        scan.by = BELFRY_BY_TOPIC;
        scan.app = str(kApp);
        scan.value = belfry_str{"news", 4};
        scan.fields = fields;
        scan.want = scan.budget_rows = 10;
        scan.after = -1;
        scan.hi = BELFRY_KEY_END;
        int64_t cursor = 0;
        int32_t end = 0;
        return rows([&](belfry_emit emit, void* ctx) {
            store().reader()->scan(
                scan, [] { return true; }, emit, ctx, &cursor, &end);
        });
    }
};

TEST_P(OldFile, HasItsDevicesUsersTopicsAndState) {
    for (const uint32_t fields : {0x1ffU & ~uint32_t{BELFRY_FIELD_TOPICS}, 0x1ffU}) {
        const auto found = scan_news(fields);
        ASSERT_EQ(found.size(), 2U);
        const Found& packed = found.at(kPacked);
        EXPECT_EQ(packed.provider + packed.token + packed.data + packed.platform, "fcmtoken-addandroid");
        EXPECT_EQ(packed.timezone + packed.locale + packed.user + packed.meta, "Europe/Berlinde-DEann{\"a\":\"b\"}");
        EXPECT_EQ(packed.variant, 5U);
        EXPECT_EQ(packed.created + packed.updated + packed.registered, 6000);
        const Found& texts = found.at(kTexts);
        EXPECT_EQ(texts.token, std::string(300, 't'));
        EXPECT_EQ(texts.provider + texts.platform, "fcmandroid");
        EXPECT_EQ(texts.variant, 4097U);
    }
    const auto narrow = scan_news(BELFRY_FIELD_TOKEN);
    EXPECT_EQ(narrow.at(kPacked).token + narrow.at(kPacked).data, "token-add");
    EXPECT_EQ(narrow.at(kTexts).token.size(), 300U);
    EXPECT_EQ(scan_news(BELFRY_FIELD_TOPICS).at(kPacked).topics, (std::vector<std::string>{"bound", "news"}));
    const std::vector<belfry_str> users{belfry_str{"ann", 3}};
    const auto of_user = rows([&](belfry_emit emit, void* ctx) {
        store().reader()->fetch(
            kApp, BELFRY_BY_USER, list_of(users), 9, BELFRY_FIELD_USER, [] { return true; }, emit, ctx);
    });
    EXPECT_TRUE(of_user.size() == 1 && of_user.contains(kPacked));
    EXPECT_EQ(value("SELECT t.name FROM user_topic u JOIN topic t ON t.id = u.topic"), "bound");
    std::string state;
    collect<belfry_kv>(
        [&](belfry_emit emit, void* ctx) {
            store().reader()->kv_get("names", emit, ctx);
            return BELFRY_OK;
        },
        [&](const belfry_kv& kv) { state = text(kv.value) + std::to_string(kv.version); });
    EXPECT_EQ(state,
              "\x01\x02"
              "3");
}

TEST_P(OldFile, HasTheTablesOfANewOneAndGoesOnWithItsKeys) {
    const std::string shape = "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_schema ORDER BY name)";
    const std::string migrated = value(shape);
    add({"fresh"});
    EXPECT_EQ(value("SELECT max(key & ((1 << 40) - 1)) FROM device"), "3");
    EXPECT_EQ(value("PRAGMA integrity_check"), "ok");
    store_.reset();
    std::filesystem::remove(file());
    EXPECT_EQ(value(shape), migrated);
}

INSTANTIATE_TEST_SUITE_P(EverySchema, OldFile, testing::Values(1));

}  // namespace
}  // namespace belfry::storage
