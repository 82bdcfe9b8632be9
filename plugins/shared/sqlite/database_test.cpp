// SPDX-License-Identifier: Apache-2.0
#include "sqlite/database.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

namespace belfry::sqlite {
namespace {

class SqliteDatabase : public testing::Test {
protected:
    SqliteDatabase() {
        std::string pattern = (std::filesystem::temp_directory_path() / "belfry-sqlite-XXXXXX").string();
        directory_ = ::mkdtemp(pattern.data());
    }
    ~SqliteDatabase() override { std::filesystem::remove_all(directory_); }
    std::string file(const char* name = "a.db") const { return (directory_ / name).string(); }

    std::filesystem::path directory_;
};

belfry_code code_from(const std::function<void()>& fn, belfry_why* why = nullptr) {
    return guarded(why, fn);
}

TEST_F(SqliteDatabase, WriterOpensInWalModeWithFullSyncAndPrivateFiles) {
    auto writer = Database::open_writer(file(), {});
    EXPECT_EQ(writer->value("PRAGMA journal_mode"), "wal");
    EXPECT_EQ(writer->value("PRAGMA synchronous"), "2");
    EXPECT_EQ(writer->value("PRAGMA mmap_size"), "0");
    struct stat status {};
    ASSERT_EQ(::stat(file().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(SqliteDatabase, AMissingFolderIsNamedAndNotMade) {
    belfry_why why{};
    EXPECT_EQ(code_from([&] { Database::open_writer(file("disk/a.db"), {}); }, &why), BELFRY_CONFIG);
    EXPECT_NE(std::string(why.text).find("there is no folder " + (directory_ / "disk").string()), std::string::npos)
        << why.text;
    EXPECT_FALSE(std::filesystem::exists(directory_ / "disk"));
}

TEST_F(SqliteDatabase, SecondWriterIsRefusedAndNamesTheOwner) {
    auto writer = Database::open_writer(file(), {});
    belfry_why why{};
    EXPECT_EQ(code_from([&] { Database::open_writer(file(), {}); }, &why), BELFRY_CONFIG);
    EXPECT_NE(std::string(why.text).find("process " + std::to_string(::getpid())), std::string::npos) << why.text;
    writer.reset();
    EXPECT_EQ(code_from([&] { Database::open_writer(file(), {}); }), BELFRY_OK);
}

TEST_F(SqliteDatabase, LockOfAKilledProcessIsFree) {
    const pid_t child = ::fork();
    if (child == 0) {
        auto writer = Database::open_writer(file(), {});
        ::raise(SIGKILL);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(code_from([&] { Database::open_writer(file(), {}); }), BELFRY_OK);
}

TEST_F(SqliteDatabase, ReaderSeesCommitsAndCannotWrite) {
    auto writer = Database::open_writer(file(), {});
    writer->execute("CREATE TABLE t (a INTEGER) STRICT");
    auto reader = Database::open_reader(file(), {});
    {
        Transaction transaction(*writer);
        writer->execute("INSERT INTO t VALUES (7)");
        EXPECT_EQ(reader->value("SELECT count(*) FROM t"), "0");
        transaction.commit();
    }
    EXPECT_EQ(reader->value("SELECT a FROM t"), "7");
    EXPECT_EQ(code_from([&] { reader->execute("INSERT INTO t VALUES (8)"); }), BELFRY_CONFIG);
}

TEST_F(SqliteDatabase, TransactionWithoutCommitLeavesNothing) {
    auto writer = Database::open_writer(file(), {});
    writer->execute("CREATE TABLE t (a INTEGER) STRICT");
    {
        Transaction transaction(*writer);
        writer->execute("INSERT INTO t VALUES (7)");
    }
    EXPECT_FALSE(writer->in_transaction());
    EXPECT_EQ(writer->value("SELECT count(*) FROM t"), "0");
}

TEST_F(SqliteDatabase, StatementKeepsEveryKindOfValue) {
    auto writer = Database::open_writer(file(), {});
    writer->execute("CREATE TABLE t (i INTEGER, s TEXT, b BLOB, n TEXT) STRICT");
    const std::string bytes("a\0b", 3);
    writer->prepare("INSERT INTO t VALUES (?1, ?2, ?3, ?4)")
        .with(int64_t{1} << 60, std::string_view{}, Blob(bytes), nullptr)
        .run();
    Statement read = writer->prepare("SELECT i, s, b, n FROM t");
    ASSERT_TRUE(read.step());
    EXPECT_EQ(read.integer(0), int64_t{1} << 60);
    EXPECT_FALSE(read.is_null(1));
    EXPECT_EQ(read.text(1), "");
    EXPECT_EQ(read.blob(2), bytes);
    EXPECT_TRUE(read.is_null(3));
    EXPECT_FALSE(read.step());
}

TEST_F(SqliteDatabase, FullFileIsStoreFullAndRecovers) {
    auto writer = Database::open_writer(file(), {});
    writer->execute("CREATE TABLE t (a BLOB) STRICT");
    writer->value("PRAGMA max_page_count=16");
    const auto insert = [&] {
        Transaction transaction(*writer);
        writer->execute("INSERT INTO t VALUES (zeroblob(100000))");
        transaction.commit();
    };
    belfry_why why{};
    EXPECT_EQ(code_from(insert, &why), BELFRY_STORE_FULL);
    EXPECT_NE(std::string(why.text).find("free disk space"), std::string::npos) << why.text;
    writer->value("PRAGMA max_page_count=10000");
    EXPECT_EQ(code_from(insert), BELFRY_OK);
    EXPECT_EQ(writer->value("SELECT count(*) FROM t"), "1");
}

TEST_F(SqliteDatabase, GarbageIsCorrupt) {
    std::ofstream(file()) << std::string(8192, 'x');
    EXPECT_EQ(code_from([&] { Database::open_writer(file(), {}); }), BELFRY_CORRUPT);
}

TEST_F(SqliteDatabase, ErrnoOfAnInputOutputErrorDecidesTheCode) {
    EXPECT_EQ(code_of(SQLITE_IOERR_WRITE, EDQUOT), BELFRY_STORE_FULL);
    EXPECT_EQ(code_of(SQLITE_IOERR_WRITE, EFBIG), BELFRY_STORE_FULL);
    EXPECT_EQ(code_of(SQLITE_IOERR_WRITE, EIO), BELFRY_RETRY_LATER);
    EXPECT_EQ(code_of(SQLITE_BUSY_SNAPSHOT, 0), BELFRY_RETRY_LATER);
    EXPECT_EQ(code_of(SQLITE_CORRUPT_INDEX, 0), BELFRY_CORRUPT);
    EXPECT_EQ(code_of(SQLITE_MISUSE, 0), BELFRY_INTERNAL);
}

TEST_F(SqliteDatabase, ForeignExceptionsBecomeInternalWithAReason) {
    belfry_why why{};
    EXPECT_EQ(code_from([] { throw 7; }, &why), BELFRY_INTERNAL);
    EXPECT_STRNE(why.text, "");
    EXPECT_EQ(code_from([] { throw std::bad_alloc(); }, &why), BELFRY_RETRY_LATER);
}

TEST_F(SqliteDatabase, WalStaysSmallUnderManyCommits) {
    auto writer = Database::open_writer(file(), {});
    writer->execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB) STRICT");
    for (int i = 0; i < 40; ++i) {
        Transaction transaction(*writer);
        writer->execute("INSERT INTO t (b) VALUES (zeroblob(400000))");
        transaction.commit();
    }
    EXPECT_LT(std::filesystem::file_size(file("a.db-wal")), 8U << 20);
    EXPECT_TRUE(writer->checkpoint());
    EXPECT_EQ(std::filesystem::file_size(file("a.db-wal")), 0U);
}

TEST_F(SqliteDatabase, ReaderThatStaysDelaysAWriterOnceAndTheWalShrinksAfterIt) {
    WriterOptions options;
    options.wal_mib_max = 1;
    auto writer = Database::open_writer(file(), options);
    writer->execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB) STRICT");
    auto reader = Database::open_reader(file(), {});
    const auto insert = [&] { writer->execute("INSERT INTO t (b) VALUES (zeroblob(100000))"); };
    {
        Transaction snapshot(*reader, Transaction::Read);
        EXPECT_EQ(reader->value("SELECT count(*) FROM t"), "0");
        int waits = 0;
        const auto count = [](void* n, int) { return ++*static_cast<int*>(n), 0; };
        sqlite3_busy_handler(writer->connection(), count, &waits);
        for (int i = 0; i < 40; ++i) insert();
        EXPECT_EQ(waits, 1);
        sqlite3_busy_handler(writer->connection(), nullptr, nullptr);
        EXPECT_GT(writer->wal_pages(), 256);
    }
    for (int i = 0; i < 200 && writer->wal_pages() > 256; ++i) insert();
    EXPECT_LE(writer->wal_pages(), 256);
}

TEST_F(SqliteDatabase, BackupIsConsistentWhileWritesGoOn) {
    auto writer = Database::open_writer(file(), {});
    writer->execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB) STRICT");
    const auto insert = [&] { writer->execute("INSERT INTO t (b) VALUES (zeroblob(400000))"); };
    for (int i = 0; i < 20; ++i) insert();
    writer->backup_to(file("copy.db"), [&](const std::function<void()>& step) {
        step();
        insert();
    });
    EXPECT_EQ(code_from([&] { writer->backup_to(file("copy.db"), [](const auto& step) { step(); }); }),
              BELFRY_CONFLICT);
    auto copy = Database::open_writer(file("copy.db"), {});
    EXPECT_EQ(copy->value("PRAGMA integrity_check"), "ok");
    EXPECT_GE(std::stoi(copy->value("SELECT count(*) FROM t")), 20);
}

TEST_F(SqliteDatabase, ACopyThatIsRemovedMeanwhileIsGivenUp) {
    auto writer = Database::open_writer(file(), {});
    writer->execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB) STRICT");
    for (int i = 0; i < 200; ++i) writer->execute("INSERT INTO t (b) VALUES (zeroblob(400000))");
    int steps = 0;
    const auto removed_at_once = [&](const std::function<void()>& step) {
        step();
        ++steps;
        std::filesystem::remove(file("copy.db.part"));
    };
    EXPECT_EQ(code_from([&] { writer->backup_to(file("copy.db"), removed_at_once); }), BELFRY_STOPPED);
    EXPECT_LT(steps, 5) << "it does not copy to the end what nobody wants";
    EXPECT_FALSE(std::filesystem::exists(file("copy.db")));
    EXPECT_FALSE(std::filesystem::exists(file("copy.db.part")));
}

TEST_F(SqliteDatabase, ExclusiveWriterNeedsNoSharedMemory) {
    WriterOptions options;
    options.exclusive = true;
    auto writer = Database::open_writer(file(), options);
    writer->execute("CREATE TABLE t (a INTEGER) STRICT");
    EXPECT_FALSE(std::filesystem::exists(file("a.db-shm")));
    writer->set_synchronous(Synchronous::Normal);
    EXPECT_EQ(writer->value("PRAGMA synchronous"), "1");
}

}  // namespace
}  // namespace belfry::sqlite
