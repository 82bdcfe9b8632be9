// SPDX-License-Identifier: Apache-2.0
#include "queue/home.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <belfry/services.hpp>
#include <cerrno>
#include <cstring>
#include <random>

namespace belfry::queue_parts {

Home::Home(const std::string& directory, const std::string& file) {
    const std::string path = directory + "/" + file;
    const auto refuse = [&](const char* doing) {
        const std::string why = std::strerror(errno);
        if (descriptor_ >= 0) ::close(descriptor_);
        throw Refused(BELFRY_CONFIG, "data_dir", std::string("cannot ") + doing + " " + path + ": " + why);
    };
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor_ < 0) refuse("open");
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
        ::close(descriptor_);
        throw Refused(BELFRY_RETRY_LATER, "data_dir",
                      path + " is in use by another process; give each server a data_dir of its own");
    }
    if (::pread(descriptor_, &number_, sizeof number_, 0) == static_cast<ssize_t>(sizeof number_) && number_ > 0)
        return;
    std::random_device random;
    number_ = static_cast<int64_t>((uint64_t{random()} << 32 | random()) >> 1 | 1);
    if (::pwrite(descriptor_, &number_, sizeof number_, 0) != static_cast<ssize_t>(sizeof number_)) refuse("write");
}

Home::~Home() {
    ::close(descriptor_);
}

}  // namespace belfry::queue_parts
