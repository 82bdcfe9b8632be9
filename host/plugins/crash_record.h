// SPDX-License-Identifier: Apache-2.0
// Which plugin was running when the process crashed: written by a signal handler, read at the next start.
//
// A crash inside a plugin ends the process, that is the price of one address space. Its next start names the plugin,
// and an instance that crashed the host twice within kWithinS stays off until an operator removes the file. Threads:
// made by one; the handler runs on any. Owner: main, one per process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/handles.h"
#include "base/result.h"

namespace belfry::plugins {

// A crash because the stack is used up can only be written down on another one. Every thread that calls plugins asks
// for it; costs something the first time only.
void have_crash_stack() noexcept;

class CrashRecord {
public:
    static constexpr int64_t kWithinS = 600;
    static constexpr size_t kCrashesKept = 64;

    struct Crash {
        int64_t unix_s = 0;
        std::string instance;
    };

    // Reads what is there and keeps the file open for the handler. Corrupt lines are left out.
    static Result<CrashRecord> open(const std::string& file);
    CrashRecord(CrashRecord&& other) noexcept;
    CrashRecord& operator=(CrashRecord&&) = delete;
    CrashRecord(const CrashRecord&) = delete;
    CrashRecord& operator=(const CrashRecord&) = delete;
    // Takes the handlers away again.
    ~CrashRecord();

    // From now on a crash (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT) is written down, then takes its course.
    void watch();
    const std::vector<Crash>& crashes() const noexcept { return crashes_; }
    const std::string& file() const noexcept { return file_; }
    // Why an instance must not be started; empty: it may. Staying off does not age: only the operator knows whether the
    // plugin was replaced.
    std::string blocked(std::string_view instance) const;

private:
    CrashRecord(std::string file, UniqueFd fd, std::vector<Crash> crashes)
        : file_(std::move(file)), fd_(std::move(fd)), crashes_(std::move(crashes)) {}

    std::string file_;
    UniqueFd fd_;
    std::vector<Crash> crashes_;
    bool watching_ = false;
};

}  // namespace belfry::plugins
