// SPDX-License-Identifier: Apache-2.0
#include "work_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>

namespace belfry::simulator {

WorkFolder::WorkFolder(const std::string& folder) : path_(std::filesystem::absolute(folder).string()) {
    std::error_code error;
    std::filesystem::create_directories(path_, error);
    if (error) throw std::runtime_error("cannot create the folder " + path_ + ": " + error.message());
    const std::string lock_file = path_ + "/lock";
    lock_ = open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (lock_ < 0) throw std::runtime_error("cannot open " + lock_file + ": is the folder writable?");
    if (flock(lock_, LOCK_EX | LOCK_NB) != 0) {
        close(lock_);
        throw std::runtime_error("another simulator uses " + path_ + ": stop it or use another --dir");
    }
    // Left behind by one that was killed: whoever waits for the file must not read old ports.
    std::filesystem::remove(description_file(), error);
}

WorkFolder::~WorkFolder() {
    std::error_code ignored;
    std::filesystem::remove(description_file(), ignored);
    close(lock_);
}

}  // namespace belfry::simulator
