// SPDX-License-Identifier: Apache-2.0
#include "sqlite/wal_buffer.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "sqlite/database.h"
#include "sqlite/failure.h"
#include "sqlite/faulty_disk.h"

namespace belfry::sqlite {
namespace {

void insert(Database& database, int rows) {
    Transaction transaction(database);
    for (int i = 0; i < rows; ++i) database.execute("INSERT INTO t (b) VALUES (randomblob(3000))");
    transaction.commit();
}

class BufferedWal : public testing::Test {
protected:
    BufferedWal() {
        std::string pattern = (std::filesystem::temp_directory_path() / "belfry-wal-XXXXXX").string();
        directory_ = ::mkdtemp(pattern.data());
    }
    ~BufferedWal() override { std::filesystem::remove_all(directory_); }
    std::string file(const char* name = "a.db") const { return (directory_ / name).string(); }
    static std::unique_ptr<Database> writer(const std::string& path, bool buffered = true, uint32_t cache_kib = 4096) {
        WriterOptions options;
        options.buffered_wal = buffered;
        options.cache_kib = cache_kib;
        auto database = Database::open_writer(path, options);
        database->execute("CREATE TABLE IF NOT EXISTS t (a INTEGER PRIMARY KEY, b BLOB) STRICT");
        return database;
    }

    std::filesystem::path directory_;
};

int64_t write_calls() {
    std::ifstream io("/proc/self/io");
    std::string word;
    int64_t n = 0;
    while (io >> word >> n) {
        if (word == "syscw:") return n;
    }
    return -1;
}

int64_t calls_of_a_commit(Database& database) {
    insert(database, 1);
    const int64_t before = write_calls();
    insert(database, 20);
    return write_calls() - before;
}

TEST_F(BufferedWal, CommitTakesFewWrites) {
    if (write_calls() < 0) GTEST_SKIP() << "this kernel does not count";
    const int64_t plain = calls_of_a_commit(*writer(file("plain.db"), false));
    const int64_t buffered = calls_of_a_commit(*writer(file()));
    EXPECT_GT(plain, 40);
    EXPECT_LT(buffered, 6);
}

TEST_F(BufferedWal, CommitSurvivesTheDeathOfTheProcess) {
    const pid_t child = ::fork();
    if (child == 0) {
        auto database = writer(file());
        for (int i = 0; i < 50; ++i) insert(*database, 3);
        Transaction open(*database);
        database->execute("INSERT INTO t (b) VALUES (x'00')");
        ::raise(SIGKILL);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    auto database = writer(file());
    EXPECT_EQ(database->value("SELECT count(*) FROM t"), "150");
    EXPECT_EQ(database->value("PRAGMA integrity_check"), "ok");
}

TEST_F(BufferedWal, ReadersSeeWholeCommits) {
    auto database = writer(file());
    auto reader = Database::open_reader(file(), {});
    std::atomic<bool> stop{false};
    std::atomic<int> torn{0};
    std::atomic<int> looks{0};
    std::thread looking([&] {
        while (!stop) {
            // Reads every page, so that a frame that is not there yet would be noticed.
            torn +=
                std::stoi(reader->value(
                    "SELECT count(*) % 5 + coalesce(sum(length(b) <> 3000), 0) FROM t WHERE length(hex(b)) > 0")) != 0;
            ++looks;
        }
    });
    insert(*database, 5);
    for (int i = 0; i < 100 || looks < 5; ++i) insert(*database, i < 100 ? 5 : 0);
    stop = true;
    looking.join();
    EXPECT_EQ(torn, 0);
    EXPECT_EQ(reader->value("PRAGMA integrity_check"), "ok");
}

TEST_F(BufferedWal, ARefusedWriteOfSpilledFramesLeavesTheFileWhole) {
    FaultyDisk disk;
    auto database = writer(file(), true, 64);
    insert(*database, 400);
    for (const int code : {SQLITE_FULL, SQLITE_IOERR_WRITE}) {
        Transaction transaction(*database);
        for (int i = 1; i <= 60; ++i)
            database->execute("UPDATE t SET b = zeroblob(2500) WHERE a = " + std::to_string(i));  // spills
        disk.refuse_writes_after(0, code);
        // Reads what was spilled, which must be written before.
        EXPECT_THROW(database->value("SELECT count(*) FROM t WHERE length(b) = 2500"), Failure);
        disk.heal();
        EXPECT_FALSE(database->in_transaction()) << "SQLite goes on without what was refused";
    }
    insert(*database, 5);
    EXPECT_EQ(database->value("SELECT count(*) FROM t WHERE length(b) = 3000"), "405");
    database.reset();
    database = writer(file(), false);
    EXPECT_EQ(database->value("SELECT count(*) FROM t WHERE length(b) = 3000"), "405");
    EXPECT_EQ(database->value("PRAGMA integrity_check"), "ok");
}

TEST_F(BufferedWal, LargeTransactionsSpillAndAreTakenBackWhole) {
    auto database = writer(file(), true, 64);
    insert(*database, 400);
    {
        Transaction transaction(*database);
        database->execute("UPDATE t SET b = randomblob(2500)");
        // Reads back what was spilled, and writes some of it a second time.
        EXPECT_EQ(database->value("SELECT count(*) FROM t WHERE length(b) = 2500"), "400");
        database->execute("UPDATE t SET b = randomblob(2000) WHERE a % 3 = 0");
    }
    EXPECT_EQ(database->value("SELECT count(*) FROM t WHERE length(b) = 3000"), "400");
    {
        Transaction transaction(*database);
        database->execute("UPDATE t SET b = randomblob(2500)");
        database->execute("UPDATE t SET b = randomblob(2000) WHERE a % 4 = 0");
        transaction.commit();
    }
    database.reset();
    database = writer(file(), false);
    EXPECT_EQ(database->value("SELECT count(*) FROM t WHERE length(b) = 2000"), "100");
    EXPECT_EQ(database->value("SELECT count(*) FROM t WHERE length(b) = 2500"), "300");
    EXPECT_EQ(database->value("PRAGMA integrity_check"), "ok");
}

TEST_F(BufferedWal, FramesTakenBackNeverLandOnAStrangersCommit) {
    auto database = writer(file(), true, 64);
    insert(*database, 100);
    ASSERT_TRUE(database->checkpoint());  // else the rollback reads the log, which empties the buffer in time
    {
        Transaction transaction(*database);
        for (int i = 0; i < 60; ++i) database->execute("INSERT INTO t (b) VALUES (randomblob(2500))");  // spills
    }
    sqlite3* stranger = nullptr;
    ASSERT_EQ(sqlite3_open(file().c_str(), &stranger), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(stranger, "UPDATE t SET b = zeroblob(2800)", nullptr, nullptr, nullptr), SQLITE_OK);
    const std::string seen = database->value("SELECT count(*) FROM t WHERE b = zeroblob(2800)");
    // A copy is what recovery finds after a crash.
    for (const char* end : {"", "-wal"}) std::filesystem::copy_file(file() + end, file("copy.db") + end);
    sqlite3_close(stranger);
    EXPECT_EQ(seen, "100");
    const auto recovered = writer(file("copy.db"), false);
    EXPECT_EQ(recovered->value("SELECT count(*) FROM t WHERE b = zeroblob(2800)"), "100");
    EXPECT_EQ(recovered->value("PRAGMA integrity_check"), "ok");
}

TEST_F(BufferedWal, NeedsFullSync) {
    auto database = writer(file());
    EXPECT_THROW(database->set_synchronous(Synchronous::Normal), Failure);
    EXPECT_EQ(database->value("PRAGMA synchronous"), "2");
}

}  // namespace
}  // namespace belfry::sqlite
