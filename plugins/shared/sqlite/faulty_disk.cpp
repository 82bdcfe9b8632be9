// SPDX-License-Identifier: Apache-2.0
#include "sqlite/faulty_disk.h"

namespace belfry::sqlite {

FaultyDisk::FaultyDisk() : base_(sqlite3_vfs_find(nullptr)), vfs_(*base_) {
    // SQLite's unix VFS looks at its object in xOpen only, so its other functions serve under a second name.
    vfs_.zName = "faulty-disk";
    vfs_.pNext = nullptr;
    vfs_.pAppData = this;
    vfs_.xOpen = &FaultyDisk::open;
    sqlite3_vfs_register(&vfs_, 1);
}

FaultyDisk::~FaultyDisk() {
    sqlite3_vfs_unregister(&vfs_);
    sqlite3_vfs_register(base_, 1);
}

int FaultyDisk::open(sqlite3_vfs* vfs, sqlite3_filename path, sqlite3_file* file, int flags, int* out_flags) {
    auto& disk = *static_cast<FaultyDisk*>(vfs->pAppData);
    const int code = disk.base_->xOpen(disk.base_, path, file, flags, out_flags);
    if (code != SQLITE_OK) return code;
    // SQLite has a table of methods per way of locking.
    const std::lock_guard lock(disk.mutex_);
    Methods& methods = disk.methods_[file->pMethods];
    static_cast<sqlite3_io_methods&>(methods) = *file->pMethods;
    methods.original = file->pMethods;
    methods.disk = &disk;
    methods.xWrite = &FaultyDisk::write;
    methods.xSync = &FaultyDisk::sync;
    file->pMethods = &methods;
    return code;
}

int FaultyDisk::write(sqlite3_file* file, const void* data, int n, sqlite3_int64 at) {
    const auto& methods = static_cast<const Methods&>(*file->pMethods);
    const int code = methods.disk->before_write();
    return code == SQLITE_OK ? methods.original->xWrite(file, data, n, at) : code;
}

int FaultyDisk::sync(sqlite3_file* file, int flags) {
    const auto& methods = static_cast<const Methods&>(*file->pMethods);
    const int code = methods.disk->before_sync();
    return code == SQLITE_OK ? methods.original->xSync(file, flags) : code;
}

int FaultyDisk::before_write() {
    const std::lock_guard lock(mutex_);
    if (writes_left_ == kNever) return SQLITE_OK;
    if (writes_left_ == 0) return write_code_;
    --writes_left_;
    return SQLITE_OK;
}

int FaultyDisk::before_sync() {
    std::unique_lock lock(mutex_);
    is_held_ = holds_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !holds_; });
    is_held_ = false;
    if (syncs_left_ == kNever) return SQLITE_OK;
    if (syncs_left_ == 0) return sync_code_;
    --syncs_left_;
    return SQLITE_OK;
}

void FaultyDisk::refuse_writes_after(int n, int code) {
    const std::lock_guard lock(mutex_);
    writes_left_ = n;
    write_code_ = code;
}

void FaultyDisk::refuse_syncs_after(int n, int code) {
    const std::lock_guard lock(mutex_);
    syncs_left_ = n;
    sync_code_ = code;
}

void FaultyDisk::heal() {
    const std::lock_guard lock(mutex_);
    writes_left_ = syncs_left_ = kNever;
}

void FaultyDisk::hold_syncs() {
    const std::lock_guard lock(mutex_);
    holds_ = true;
}

void FaultyDisk::release_syncs() {
    const std::lock_guard lock(mutex_);
    holds_ = false;
    changed_.notify_all();
}

void FaultyDisk::wait_for_held_sync() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return is_held_; });
}

}  // namespace belfry::sqlite
