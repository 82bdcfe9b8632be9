// SPDX-License-Identifier: Apache-2.0
#include "ledger.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "sqlite/failure.h"

namespace belfry::queue_sqlite {

namespace {

constexpr size_t kBytes = Ledger::kSlots * sizeof(int64_t);

class OpenFile {
public:
    explicit OpenFile(const std::string& path) : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {}
    ~OpenFile() {
        if (fd_ >= 0) ::close(fd_);
    }
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;
    int fd() const noexcept { return fd_; }

private:
    int fd_;
};

[[noreturn]] void refuse(const std::string& path, int reason) {
    const belfry_code code =
        reason == ENOSPC || reason == EDQUOT || reason == EFBIG ? BELFRY_STORE_FULL : BELFRY_CONFIG;
    throw sqlite::Failure(code, "cannot open " + path + ": " + std::strerror(reason), "path");
}

}  // namespace

Ledger::Ledger(const std::string& path) {
    const OpenFile file(path);
    if (file.fd() < 0) refuse(path, errno);
    // Blocks are reserved now, so that no store into the mapping can meet a full disk.
    if (const int reason = ::posix_fallocate(file.fd(), 0, kBytes); reason != 0) refuse(path, reason);
    void* mapped = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd(), 0);
    if (mapped == MAP_FAILED) refuse(path, errno);
    slots_ = static_cast<int64_t*>(mapped);
    read_found();
}

Ledger::~Ledger() {
    ::munmap(slots_, kBytes);
}

void Ledger::read_found() {
    for (uint32_t slot = kSlots; slot-- > 0;) {
        if (slots_[slot] > 0) found_.push_back(slots_[slot]);
        free_.push_back(slot);
    }
}

uint32_t Ledger::hold(int64_t item) noexcept {
    if (free_.empty()) return kNoSlot;
    const uint32_t slot = free_.back();
    free_.pop_back();
    slots_[slot] = item;
    return slot;
}

void Ledger::release(uint32_t slot) noexcept {
    if (slot == kNoSlot) return;
    slots_[slot] = 0;
    free_.push_back(slot);  // within the capacity reserved by read_found
}

void Ledger::clear_all() noexcept {
    std::memset(slots_, 0, kBytes);
}

}  // namespace belfry::queue_sqlite
