// SPDX-License-Identifier: Apache-2.0
// A disk for tests that refuses writes or syncs, or takes as long as a test wants: SQLite's own VFS with two methods
// changed, the default of the process as long as it lives.
//
// Threads: [any].  Owner: a test, which opens its databases while it lives and closes them before it ends.
#pragma once

#include <sqlite3.h>

#include <condition_variable>
#include <limits>
#include <map>
#include <mutex>

namespace belfry::sqlite {

class FaultyDisk {
public:
    FaultyDisk();
    ~FaultyDisk();
    FaultyDisk(const FaultyDisk&) = delete;
    FaultyDisk& operator=(const FaultyDisk&) = delete;

    // After so many more writes or syncs they are refused with this code.
    void refuse_writes_after(int n, int code);
    void refuse_syncs_after(int n, int code);
    void heal();
    // Syncs wait until release_syncs.
    void hold_syncs();
    void release_syncs();
    // Returns as soon as a sync waits.
    void wait_for_held_sync();

private:
    struct Methods : sqlite3_io_methods {
        const sqlite3_io_methods* original = nullptr;
        FaultyDisk* disk = nullptr;
    };
    static int open(sqlite3_vfs* vfs, sqlite3_filename path, sqlite3_file* file, int flags, int* out_flags);
    static int write(sqlite3_file* file, const void* data, int n, sqlite3_int64 at);
    static int sync(sqlite3_file* file, int flags);
    int before_write();
    int before_sync();

    static constexpr int kNever = std::numeric_limits<int>::max();
    sqlite3_vfs* const base_;
    sqlite3_vfs vfs_;
    std::map<const sqlite3_io_methods*, Methods> methods_;  // by what they stand for
    std::mutex mutex_;
    std::condition_variable changed_;
    int writes_left_ = kNever, write_code_ = 0;
    int syncs_left_ = kNever, sync_code_ = 0;
    bool holds_ = false, is_held_ = false;
};

}  // namespace belfry::sqlite
