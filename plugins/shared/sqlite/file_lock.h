// SPDX-License-Identifier: Apache-2.0
// Keeps a second writer away from a database file, in this process or another one: an advisory lock on "<path>.lock",
// freed by the kernel however the owner ends. SQLite's own locks cannot do this, because they let a second writer in
// between two transactions.
//
// Threads: [control].  Owner: Database.
#pragma once

#include <string>

namespace belfry::sqlite {

class FileLock {
public:
    // Fails: CONFIG, naming the process that holds the lock.
    explicit FileLock(std::string path);
    ~FileLock();
    FileLock(const FileLock&) = delete;
    FileLock& operator=(const FileLock&) = delete;

private:
    std::string path_;
    int fd_ = -1;
};

}  // namespace belfry::sqlite
