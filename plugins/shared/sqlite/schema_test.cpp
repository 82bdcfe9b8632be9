// SPDX-License-Identifier: Apache-2.0
#include "sqlite/schema.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>

namespace belfry::sqlite {
namespace {

constexpr Component kComponent{"storage_test", 0x42454c31};
constexpr std::array<Migration, 2> kSteps{
    {{1, "CREATE TABLE a (x INTEGER) STRICT"}, {2, "ALTER TABLE a ADD COLUMN y INTEGER"}}};

class SqliteSchema : public testing::Test {
protected:
    SqliteSchema() {
        std::string pattern = (std::filesystem::temp_directory_path() / "belfry-schema-XXXXXX").string();
        directory_ = ::mkdtemp(pattern.data());
    }
    ~SqliteSchema() override { std::filesystem::remove_all(directory_); }
    std::unique_ptr<Database> open() const { return Database::open_writer((directory_ / "a.db").string(), {}); }

    std::filesystem::path directory_;
};

TEST_F(SqliteSchema, NewFileGetsEveryStep) {
    auto database = open();
    EXPECT_EQ(migrate(*database, kComponent, kSteps), 0);
    database->execute("INSERT INTO a (x, y) VALUES (1, 2)");
    EXPECT_EQ(migrate(*database, kComponent, kSteps), 2);
}

TEST_F(SqliteSchema, OlderFileGetsTheMissingStepsAndKeepsItsRows) {
    auto database = open();
    migrate(*database, kComponent, std::span(kSteps).first(1));
    database->execute("INSERT INTO a (x) VALUES (1)");
    EXPECT_EQ(migrate(*database, kComponent, kSteps), 1);
    EXPECT_EQ(database->value("SELECT x FROM a WHERE y IS NULL"), "1");
}

TEST_F(SqliteSchema, NewerFileIsRefusedWithBothVersions) {
    auto database = open();
    migrate(*database, kComponent, kSteps);
    belfry_why why{};
    EXPECT_EQ(guarded(&why, [&] { migrate(*database, kComponent, std::span(kSteps).first(1)); }), BELFRY_CONFIG);
    EXPECT_NE(std::string(why.text).find("has schema 2"), std::string::npos) << why.text;
    EXPECT_NE(std::string(why.text).find("knows up to 1"), std::string::npos) << why.text;
}

TEST_F(SqliteSchema, FileOfSomethingElseIsLeftAlone) {
    auto database = open();
    migrate(*database, Component{"queue_test", 0x42454c32}, kSteps);
    EXPECT_EQ(guarded(nullptr, [&] { migrate(*database, kComponent, kSteps); }), BELFRY_CONFIG);
    EXPECT_EQ(database->value("PRAGMA application_id"), std::to_string(0x42454c32));
}

TEST_F(SqliteSchema, FailingStepLeavesTheVersionBefore) {
    auto database = open();
    const std::array<Migration, 2> broken{{kSteps[0], {2, "CREATE TABLE b (x INTEGER) STRICT; SELECT nonsense"}}};
    EXPECT_NE(guarded(nullptr, [&] { migrate(*database, kComponent, broken); }), BELFRY_OK);
    EXPECT_EQ(migrate(*database, kComponent, kSteps), 1);
    EXPECT_EQ(database->value("SELECT count(*) FROM sqlite_schema WHERE name = 'b'"), "0");
}

}  // namespace
}  // namespace belfry::sqlite
