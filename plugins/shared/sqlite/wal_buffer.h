// SPDX-License-Identifier: Apache-2.0
// A SQLite VFS that hands the frames of a commit to the kernel in one piece. SQLite writes a WAL frame by frame, each
// in two calls; for commits of some dozen pages those calls cost more than the bytes.
//
// Only sound where every commit is synced (synchronous = FULL): there SQLite syncs the WAL, which empties the buffer,
// before it lets readers know of the frames. Whatever else looks at the file (reads, sizes, truncation) empties it too;
// who takes a transaction back calls forget.
//
// Threads: those of the connection that opens with it.  Owner: Database; it must outlive the connection.
// Not here: files other than the WAL, which pass through untouched.
#pragma once

#include <sqlite3.h>

#include <string>

namespace belfry::sqlite {

class WalBuffer {
public:
    WalBuffer();
    ~WalBuffer();
    WalBuffer(const WalBuffer&) = delete;
    WalBuffer& operator=(const WalBuffer&) = delete;

    // What sqlite3_open_v2 takes.
    const char* vfs_name() const noexcept { return name_.c_str(); }
    // Drops frames of a transaction that is taken back. SQLite itself writes nothing then, and the lock that kept their
    // place in the file free ends with the transaction: later they would land on another connection's commit.
    static void forget(sqlite3* connection) noexcept;

private:
    std::string name_;
    sqlite3_vfs vfs_;
};

}  // namespace belfry::sqlite
