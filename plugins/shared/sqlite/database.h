// SPDX-License-Identifier: Apache-2.0
// A connection to a SQLite file, opened by the rules that keep WAL files small and whole.
//
// SQLite 3.7.0 to 3.51.2 can corrupt a WAL file when two connections write or checkpoint around a WAL reset. Therefore
// exactly one Writer exists per file (FileLock makes sure of it), it alone checkpoints, and Readers are read-only in
// every respect. No memory mapping: it would amplify such a corruption and count as resident memory.
//
// Threads: one at a time per connection; the owner serialises.
// Not here: the SQL of any component, pools, retries.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sqlite/file_lock.h"
#include "sqlite/statement.h"
#include "sqlite/wal_buffer.h"

namespace belfry::sqlite {

// How much of a commit has reached the disk when it returns: Full survives power loss, Normal only the death of the
// process.
enum class Synchronous { Normal, Full };

struct WriterOptions {
    uint32_t cache_kib = 4096;         // page cache; all caches of the process share 32 MiB
    uint32_t page_bytes = 4096;        // of a new file
    uint32_t checkpoint_pages = 1000;  // WAL length that triggers a checkpoint; larger ones stall longer
    bool checkpoint_in_commit = true;  // else the owner calls checkpoint_if_due() when nobody waits for it
    bool exclusive = false;            // no second connection at all, not even a reader; no -shm file
    bool incremental_vacuum = false;   // of a new file: keep free pages reclaimable by PRAGMA incremental_vacuum
    uint32_t wal_mib_max = 64;         // a WAL that readers keep longer than this is restarted, waiting for them
    bool buffered_wal = false;         // each commit in few writes; for a writer that stays at Synchronous::Full
    uint32_t busy_wait_ms = 2000;      // only strangers (a sqlite3 shell) can make a writer wait
};

struct ReaderOptions {
    uint32_t cache_kib = 1024;
    uint32_t busy_wait_ms = 5000;
};

class Database {
public:
    // The one read-write connection; creates the file (mode 0600) and its directory if they are missing. WAL,
    // synchronous = Full. Fails: CONFIG (locked by another process, not permitted), CORRUPT (not a database),
    // STORE_FULL, RETRY_LATER.
    static std::unique_ptr<Database> open_writer(const std::string& path, const WriterOptions& options);
    // A read-only connection to a file whose writer is open in this process.
    static std::unique_ptr<Database> open_reader(const std::string& path, const ReaderOptions& options);

    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    Statement prepare(std::string_view sql) { return Statement(connection_, sql); }
    // Runs SQL text without parameters, several statements if need be.
    void execute(const std::string& sql);
    // The first column of the first row, as text.
    std::string value(const std::string& sql);

    // Fails: INTERNAL for Normal with a buffered WAL, whose frames nobody would push out in time.
    void set_synchronous(Synchronous level);
    Synchronous synchronous() const noexcept { return synchronous_; }
    int64_t changes() const noexcept { return sqlite3_changes64(connection_); }
    // Of this connection so far.
    int64_t total_changes() const noexcept { return sqlite3_total_changes64(connection_); }
    int64_t last_insert_rowid() const noexcept { return sqlite3_last_insert_rowid(connection_); }
    bool in_transaction() const noexcept { return sqlite3_get_autocommit(connection_) == 0; }
    // Length of the WAL in pages after the last commit.
    int wal_pages() const noexcept { return wal_pages_; }
    // Copies the WAL into the database file if it is long enough; a WAL that stays full is left to the next call. Does
    // nothing inside a transaction.
    void checkpoint_if_due() noexcept;
    // Copies all of the WAL into the database file and truncates it, if no reader is in the way. False: a reader was.
    bool checkpoint();
    // A consistent copy into `path`, which must not exist, made in steps of some pages. Call with the writer's lock
    // released; `locked` runs each step under it, so that writes go on in between. `then` is SQL for the copy, which
    // is complete and on disk on return. Whoever removes <path>.part meanwhile ends it: STOPPED.
    void backup_to(const std::string& path, const std::function<void(const std::function<void()>&)>& locked,
                   const std::string& then = {});

    sqlite3* connection() const noexcept { return connection_; }
    const std::string& path() const noexcept { return path_; }

private:
    friend class Transaction;
    Database(std::string path, int flags, uint32_t busy_wait_ms, bool buffered_wal);
    void set_up_writer(const WriterOptions& options);
    void set_up_reader(const ReaderOptions& options);
    static int on_commit(void* self, sqlite3*, const char*, int pages) noexcept;

    std::string path_;
    std::optional<FileLock> lock_;
    std::optional<WalBuffer> wal_buffer_;
    sqlite3* connection_ = nullptr;
    Statement begin_immediate_, begin_read_, commit_, rollback_;
    Synchronous synchronous_ = Synchronous::Full;
    bool checkpoint_in_commit_ = true;
    int checkpoint_pages_ = 0;
    int wal_pages_max_ = 0;
    int restart_at_pages_ = 0;
    int wal_pages_ = 0;
};

// BEGIN ... COMMIT; ends in a rollback unless commit() returned.
class Transaction {
public:
    enum Kind { Write, Read };
    explicit Transaction(Database& database, Kind kind = Write);
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

    // With Synchronous::Full durable on return. Fails: STORE_FULL and others; nothing is stored then.
    void commit();

private:
    Database& database_;
    bool open_ = true;
};

}  // namespace belfry::sqlite
