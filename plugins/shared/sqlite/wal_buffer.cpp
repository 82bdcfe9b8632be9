// SPDX-License-Identifier: Apache-2.0
#include "sqlite/wal_buffer.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "sqlite/failure.h"

namespace belfry::sqlite {

namespace {

// Thirty pages of 4 KiB. SQLite's own file writes less than 128 KiB in one call (os_unix.c, seekAndWriteFd).
constexpr int kBufferBytes = 124 << 10;

// What SQLite sees of a WAL file; the file below lies behind it in the memory that SQLite provides.
struct BufferedFile {
    sqlite3_file seen;
    char* bytes;
    int64_t at;  // place of the first byte in the file
    int used;

    sqlite3_file* below() noexcept { return reinterpret_cast<sqlite3_file*>(this + 1); }
    // What cannot be written is kept until it can be, or until forget(): SQLite counts on every frame it has handed
    // over.
    int flush() noexcept {
        if (used == 0) return SQLITE_OK;
        const int code = below()->pMethods->xWrite(below(), bytes, used, at);
        if (code == SQLITE_OK) used = 0;
        return code;
    }
};

BufferedFile& of(sqlite3_file* file) noexcept {
    return *reinterpret_cast<BufferedFile*>(file);
}

// A method of the file below, the buffer emptied before.
template <auto Member>
struct AfterFlush;
template <class... Args, int (*sqlite3_io_methods::*Member)(sqlite3_file*, Args...)>
struct AfterFlush<Member> {
    static int call(sqlite3_file* file, Args... args) noexcept {
        const int flushed = of(file).flush();
        sqlite3_file* below = of(file).below();
        return flushed == SQLITE_OK ? (below->pMethods->*Member)(below, args...) : flushed;
    }
};

// A method that has nothing to do with what is in the file.
template <auto Member>
struct Through;
template <class... Args, int (*sqlite3_io_methods::*Member)(sqlite3_file*, Args...)>
struct Through<Member> {
    static int call(sqlite3_file* file, Args... args) noexcept {
        sqlite3_file* below = of(file).below();
        return (below->pMethods->*Member)(below, args...);
    }
};

int write(sqlite3_file* raw, const void* data, int n, sqlite3_int64 at) noexcept {
    BufferedFile& file = of(raw);
    if (file.used > 0 && (at != file.at + file.used || file.used + n > kBufferBytes)) {
        const int flushed = file.flush();
        if (flushed != SQLITE_OK) return flushed;
    }
    if (n > kBufferBytes) return file.below()->pMethods->xWrite(file.below(), data, n, at);
    if (file.used == 0) file.at = at;
    std::memcpy(file.bytes + file.used, data, static_cast<size_t>(n));
    file.used += n;
    return SQLITE_OK;
}

int close(sqlite3_file* raw) noexcept {
    BufferedFile& file = of(raw);
    const int flushed = file.flush();
    const int closed = file.below()->pMethods->xClose(file.below());
    sqlite3_free(file.bytes);
    return flushed != SQLITE_OK ? flushed : closed;
}

using Methods = sqlite3_io_methods;
// Version 1: a WAL is never mapped or shared memory.
constexpr Methods kMethods{1,
                           close,
                           AfterFlush<&Methods::xRead>::call,
                           write,
                           AfterFlush<&Methods::xTruncate>::call,
                           AfterFlush<&Methods::xSync>::call,
                           AfterFlush<&Methods::xFileSize>::call,
                           Through<&Methods::xLock>::call,
                           Through<&Methods::xUnlock>::call,
                           Through<&Methods::xCheckReservedLock>::call,
                           Through<&Methods::xFileControl>::call,
                           Through<&Methods::xSectorSize>::call,
                           Through<&Methods::xDeviceCharacteristics>::call,
                           nullptr,
                           nullptr,
                           nullptr,
                           nullptr,
                           nullptr,
                           nullptr};

sqlite3_vfs* base_of(sqlite3_vfs* vfs) noexcept {
    return static_cast<sqlite3_vfs*>(vfs->pAppData);
}

// The base's method with the base's own object.
template <auto Member>
struct ToBase;
template <class R, class... Args, R (*sqlite3_vfs::*Member)(sqlite3_vfs*, Args...)>
struct ToBase<Member> {
    static R call(sqlite3_vfs* vfs, Args... args) noexcept { return (base_of(vfs)->*Member)(base_of(vfs), args...); }
};

int open(sqlite3_vfs* vfs, sqlite3_filename path, sqlite3_file* file, int flags, int* out_flags) noexcept {
    sqlite3_vfs* base = base_of(vfs);
    if ((flags & SQLITE_OPEN_WAL) == 0) return base->xOpen(base, path, file, flags, out_flags);
    auto& buffered = of(file);
    buffered = {};
    auto* bytes = static_cast<char*>(sqlite3_malloc(kBufferBytes));
    if (bytes == nullptr) return SQLITE_NOMEM;
    const int code = base->xOpen(base, path, buffered.below(), flags, out_flags);
    if (buffered.below()->pMethods == nullptr) {
        sqlite3_free(bytes);
        return code;
    }
    // Even a file that did not open is closed by SQLite if it has methods.
    buffered.bytes = bytes;
    buffered.seen.pMethods = &kMethods;
    return code;
}

}  // namespace

WalBuffer::WalBuffer() : vfs_{} {
    sqlite3_vfs* base = sqlite3_vfs_find(nullptr);
    if (base == nullptr) throw Failure(BELFRY_INTERNAL, "SQLite has no VFS");
    std::array<char, 40> name{};
    std::snprintf(name.data(), name.size(), "belfry-wal-%p", static_cast<void*>(this));
    name_ = name.data();
    vfs_.iVersion = 1;
    vfs_.szOsFile = static_cast<int>(sizeof(BufferedFile)) + base->szOsFile;
    vfs_.mxPathname = base->mxPathname;
    vfs_.zName = name_.c_str();
    vfs_.pAppData = base;
    vfs_.xOpen = open;
    vfs_.xDelete = ToBase<&sqlite3_vfs::xDelete>::call;
    vfs_.xAccess = ToBase<&sqlite3_vfs::xAccess>::call;
    vfs_.xFullPathname = ToBase<&sqlite3_vfs::xFullPathname>::call;
    vfs_.xRandomness = ToBase<&sqlite3_vfs::xRandomness>::call;
    vfs_.xSleep = ToBase<&sqlite3_vfs::xSleep>::call;
    vfs_.xCurrentTime = ToBase<&sqlite3_vfs::xCurrentTime>::call;
    vfs_.xGetLastError = ToBase<&sqlite3_vfs::xGetLastError>::call;
    if (sqlite3_vfs_register(&vfs_, 0) != SQLITE_OK) throw Failure(BELFRY_INTERNAL, "SQLite takes no VFS");
}

void WalBuffer::forget(sqlite3* connection) noexcept {
    sqlite3_file* wal = nullptr;
    if (sqlite3_file_control(connection, "main", SQLITE_FCNTL_JOURNAL_POINTER, static_cast<void*>(&wal)) != SQLITE_OK)
        return;
    if (wal != nullptr && wal->pMethods == &kMethods) of(wal).used = 0;
}

WalBuffer::~WalBuffer() {
    sqlite3_vfs_unregister(&vfs_);
}

}  // namespace belfry::sqlite
