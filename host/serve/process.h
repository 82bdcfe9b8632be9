// SPDX-License-Identifier: Apache-2.0
// What the running server asks of the operating system: its data directory for itself alone, file descriptors, signals.
// Threads: main's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/handles.h"
#include "base/log.h"
#include "base/result.h"

namespace belfry::serve {

// data_dir, made with mode 0700, and locked against a second server for as long as the object lives.
class DataDir {
public:
    static Result<DataDir> open(const std::filesystem::path& path);
    // What open would refuse, as far as it shows without touching anything; who uses it now does not matter.
    static Status check(const std::filesystem::path& path);
    const std::filesystem::path& path() const noexcept { return path_; }
    // Tells other programs where the API listens: the address in <data_dir>/listening. Empty removes it.
    Status publish_address(const std::string& address) const;

private:
    DataDir(std::filesystem::path path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
    std::filesystem::path path_;
    UniqueFd lock_;
};

// Raises RLIMIT_NOFILE to its hard limit and says the result.
void raise_file_limit(Logger& log);

// Blocks the signals that wait_for_stop handles, for this thread and those made after it. Before any thread.
void block_signals();
// Waits for SIGTERM or SIGINT. Meanwhile calls `reload` for each SIGHUP, and `look` about once a second and after each
// reload; false from it is as good as a signal.
void wait_for_stop(const std::function<void()>& reload, const std::function<bool()>& look);
// SIGTERM or SIGINT has come and nobody has taken it yet. For what may take long before wait_for_stop.
bool stop_is_pending();
// From now on a SIGHUP does nothing, and another SIGTERM or SIGINT ends the process at once.
void let_signals_kill();

}  // namespace belfry::serve
