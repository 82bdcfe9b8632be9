// SPDX-License-Identifier: Apache-2.0
#include "uid_index.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "schema.h"

namespace belfry::queue_sqlite {
namespace {

constexpr size_t kSmallGeneration = 200;

// An index over a real file, used like the writer does: turns that commit or roll back.
class UidIndexTest : public testing::Test {
protected:
    UidIndexTest() : path_(testing::TempDir() + "uid_index_test." + std::to_string(::getpid()) + ".db") { open(); }
    ~UidIndexTest() override {
        close();
        for (const char* end : {"", "-wal", "-shm", ".lock"}) std::filesystem::remove(path_ + end);
    }
    void open() {
        database_ = sqlite::Database::open_writer(path_, {});
        database_->set_synchronous(sqlite::Synchronous::Normal);
        prepare_schema(*database_);
        tables_ = std::make_unique<Tables>(*database_);
        index_ = std::make_unique<UidIndex>(*tables_, kSmallGeneration);
        begin();
        index_->load();
        end(true);
    }
    void close() {
        index_.reset();
        tables_.reset();
        database_.reset();
    }
    void begin() { transaction_.emplace(*database_); }
    void end(bool commit) {
        index_->flush(last_id_);
        if (commit) transaction_->commit();
        transaction_.reset();
        commit ? index_->commit() : index_->rollback();
    }
    // A push as the index finds it again after a restart.
    int64_t add_push(const std::string& uid) {
        auto facts = std::make_shared<PushFacts>();
        facts->id = ++last_id_;
        facts->app = 1;
        facts->uid = uid;
        Push push;
        push.state = 2;
        push.facts = facts;
        tables_->pushes.insert(push);
        index_->add(1, uid, {last_id_, -1});
        return last_id_;
    }
    // A bundle of small pushes, likewise.
    std::vector<UidRef> add_bundle(const std::vector<std::string>& uids) {
        BundleRow row;
        row.id = ++last_id_;
        std::vector<UidRef> refs;
        for (const std::string& uid : uids) {
            row.results.emplace_back();
            row.results.back().app = 1;
            row.results.back().uid = uid;
            refs.push_back({row.id, static_cast<int32_t>(refs.size())});
            index_->add(1, uid, refs.back());
        }
        tables_->bundles.insert(row);
        return refs;
    }
    // The push, or the member of the bundle, is no more.
    void erase(const std::string& uid, UidRef ref) {
        index_->remove(1, uid, ref);
        if (ref.member < 0) return tables_->pushes.erase(ref.ref);
        BundleRow row = tables_->bundles.find(ref.ref).value();
        row.results.at(static_cast<size_t>(ref.member)).moved_to = kErased;
        tables_->bundles.update(row);
    }
    bool knows(const std::string& uid, UidRef ref) { return index_->find(1, uid) == std::vector<UidRef>{ref}; }

    std::string path_;
    std::unique_ptr<sqlite::Database> database_;
    std::unique_ptr<Tables> tables_;
    std::unique_ptr<UidIndex> index_;
    std::optional<sqlite::Transaction> transaction_;
    int64_t last_id_ = 0;
};

TEST_F(UidIndexTest, FindsTheNewestFirstAndForgetsWhatARollbackTakesBack) {
    begin();
    index_->add(1, "u", {1, -1});
    index_->add(1, "u", {2, 7});
    index_->add(2, "u", {3, -1});
    end(true);
    EXPECT_EQ(index_->find(1, "u"), (std::vector<UidRef>{{2, 7}, {1, -1}}));
    begin();
    index_->add(1, "u", {4, -1});
    index_->remove(1, "u", {1, -1});
    EXPECT_EQ(index_->find(1, "u"), (std::vector<UidRef>{{4, -1}, {2, 7}}));
    end(false);
    EXPECT_EQ(index_->find(1, "u"), (std::vector<UidRef>{{2, 7}, {1, -1}}));
}

TEST_F(UidIndexTest, MemoryIsBoundedByTwoGenerations) {
    size_t most = 0;
    for (int turn = 0; turn < 200; ++turn) {
        begin();
        for (int i = 0; i < 20; ++i) add_push(std::to_string(turn) + "." + std::to_string(i));
        end(true);
        most = std::max(most, index_->entries_in_memory());
    }
    EXPECT_LE(most, 2 * kSmallGeneration + 40);
    EXPECT_TRUE(knows("0.0", {1, -1}));
    EXPECT_TRUE(knows("199.19", {4000, -1}));
}

TEST_F(UidIndexTest, EqualsAMapOverCommitsRollbacksAndRestarts) {
    std::mt19937 random(7);
    std::map<std::string, UidRef> model;
    for (int turn = 0; turn < 400; ++turn) {
        begin();
        std::map<std::string, UidRef> after = model;
        const int64_t last_id = last_id_;
        const std::string name = "uid-" + std::to_string(turn) + "-";
        for (int i = 0; i < 4; ++i) after[name + std::to_string(i)] = {add_push(name + std::to_string(i)), -1};
        std::vector<std::string> members;
        const size_t small = 1 + random() % 8;
        for (size_t i = 0; i < small; ++i) members.push_back(name + "m" + std::to_string(i));
        const std::vector<UidRef> refs = add_bundle(members);
        for (size_t i = 0; i < members.size(); ++i) after[members[i]] = refs[i];
        for (int i = 0; i < 3 && !after.empty(); ++i) {
            const auto victim = std::next(after.begin(), static_cast<std::ptrdiff_t>(random() % after.size()));
            erase(victim->first, victim->second);
            after.erase(victim);
        }
        const bool commit = random() % 4 != 0;
        end(commit);
        if (commit) {
            model = after;
        } else {
            last_id_ = last_id;
            for (const auto& [uid, ref] : after) {
                ASSERT_EQ(index_->find(1, uid).empty(), model.count(uid) == 0) << uid << " in turn " << turn;
            }
        }
        if (turn % 100 == 37) {
            close();
            open();
        }
    }
    for (const auto& [uid, ref] : model) EXPECT_TRUE(knows(uid, ref)) << uid << " " << ref.ref << "/" << ref.member;
    // What is left is what the model has: nothing was kept twice or forgotten.
    const size_t filed = static_cast<size_t>(std::stoll(database_->value("SELECT count(*) FROM uid")));
    EXPECT_LE(filed, model.size());
    EXPECT_GE(filed + index_->entries_in_memory(), model.size());
}

TEST(UidHash, DependsOnAppUidAndSeed) {
    const int64_t hash = hash_of_uid(1, 1, "0123456789abcdef");
    EXPECT_NE(hash, hash_of_uid(2, 1, "0123456789abcdef"));
    EXPECT_NE(hash, hash_of_uid(1, 2, "0123456789abcdef"));
    EXPECT_NE(hash, hash_of_uid(1, 1, "0123456789abcdeg"));
    EXPECT_NE(hash_of_uid(1, 1, "a"), hash_of_uid(1, 1, std::string_view("a\0", 2)));
}

}  // namespace
}  // namespace belfry::queue_sqlite
