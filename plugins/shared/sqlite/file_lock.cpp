// SPDX-License-Identifier: Apache-2.0
#include "sqlite/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "sqlite/failure.h"

namespace belfry::sqlite {

namespace {

std::string owner_of(int fd) {
    std::array<char, 24> text{};
    const ssize_t n = ::pread(fd, text.data(), text.size() - 1, 0);
    if (n <= 0) return "another process";
    return "process " + std::string(text.data());
}

}  // namespace

FileLock::FileLock(std::string path) : path_(std::move(path)) {
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd_ < 0) {
        const int reason = errno;
        const belfry_code code = reason == ENOSPC || reason == EDQUOT ? BELFRY_STORE_FULL : BELFRY_CONFIG;
        throw Failure(code, "cannot open " + path_ + ": " + std::strerror(reason), "path");
    }
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
        const std::string owner = owner_of(fd_);
        ::close(fd_);
        throw Failure(BELFRY_CONFIG,
                      path_ + " is locked by " + owner +
                          "; one database file serves one server: stop that one or choose another path",
                      "path");
    }
    // Only a hint for the message above, so a full disk is no reason to refuse.
    const std::string pid = std::to_string(::getpid());
    if (::ftruncate(fd_, 0) == 0 && ::pwrite(fd_, pid.data(), pid.size(), 0) < 0) errno = 0;
}

FileLock::~FileLock() {
    ::close(fd_);
}

}  // namespace belfry::sqlite
