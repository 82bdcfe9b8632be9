// SPDX-License-Identifier: Apache-2.0
#include "plugins/crash_record.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <memory>
#include <new>
#include <utility>

#include "plugins/call.h"

namespace belfry::plugins {

namespace {

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
constexpr size_t kLineMax = 256;

// Where the handler writes; -1: nobody watches.
std::atomic<int> g_fd{-1};

// Builds a line without allocating.
class Line {
public:
    void add(std::string_view text) noexcept {
        for (const char c : text) {
            if (n_ < bytes_.size()) bytes_[n_++] = c;
        }
    }
    void add(int64_t number) noexcept {
        std::array<char, 24> digits;
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
        add(std::string_view(digits.data(), static_cast<size_t>(end - digits.data())));
    }
    void write_to(int fd) const noexcept { static_cast<void>(!::write(fd, bytes_.data(), n_)); }

private:
    std::array<char, kLineMax> bytes_;
    size_t n_ = 0;
};

// Async-signal-safe. SA_RESETHAND has put the default action back: returning repeats the crash, raise() covers abort().
void on_crash(int signal) {
    const int saved = errno;
    const char* instance = running_instance();
    if (instance != nullptr) {
        Line record;
        record.add(static_cast<int64_t>(::time(nullptr)));
        record.add(" ");
        record.add(instance);
        record.add("\n");
        const int fd = g_fd.load(std::memory_order_relaxed);
        if (fd >= 0) record.write_to(fd);
        Line said;
        said.add("belfry: signal ");
        said.add(int64_t{signal});
        said.add(" inside plugin instance \"");
        said.add(instance);
        said.add("\"; report it to the plugin's author\n");
        said.write_to(STDERR_FILENO);
    }
    errno = saved;
    ::raise(signal);
}

std::vector<CrashRecord::Crash> read_crashes(const std::string& file) {
    std::vector<CrashRecord::Crash> crashes;
    std::ifstream in(file);
    std::string line;
    while (std::getline(in, line)) {
        const size_t space = line.find(' ');
        CrashRecord::Crash crash;
        if (space == std::string::npos || space + 1 == line.size()) continue;
        const auto parsed = std::from_chars(line.data(), line.data() + space, crash.unix_s);
        if (parsed.ec != std::errc() || parsed.ptr != line.data() + space) continue;
        crash.instance = line.substr(space + 1);
        crashes.push_back(std::move(crash));
    }
    if (crashes.size() > CrashRecord::kCrashesKept)
        crashes.erase(crashes.begin(), crashes.end() - CrashRecord::kCrashesKept);
    return crashes;
}

class CrashStack {
public:
    CrashStack() noexcept {
        stack_t now{};
        if (::sigaltstack(nullptr, &now) != 0 || (now.ss_flags & SS_DISABLE) == 0) return;  // a sanitizer gave one
        const size_t size = std::max(kStackBytes, static_cast<size_t>(std::max(0L, ::sysconf(_SC_SIGSTKSZ))));
        bytes_.reset(new (std::nothrow) char[size]);
        if (!bytes_) return;
        stack_t own{};
        own.ss_sp = bytes_.get();
        own.ss_size = size;
        ::sigaltstack(&own, nullptr);
    }
    ~CrashStack() {
        if (!bytes_) return;
        stack_t none{};
        none.ss_flags = SS_DISABLE;
        ::sigaltstack(&none, nullptr);
    }
    CrashStack(const CrashStack&) = delete;
    CrashStack& operator=(const CrashStack&) = delete;

private:
    static constexpr size_t kStackBytes = 16 << 10;
    std::unique_ptr<char[]> bytes_;
};

// At each start, so that it stays short. None: the file is as it was.
UniqueFd open_rewritten(const std::string& file, const std::vector<CrashRecord::Crash>& crashes) {
    std::string text;
    for (const CrashRecord::Crash& crash : crashes) text += std::to_string(crash.unix_s) + " " + crash.instance + "\n";
    const std::string next = file + ".next";
    ::unlink(next.c_str());
    UniqueFd fd(::open(next.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600));
    if (fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
        ::rename(next.c_str(), file.c_str()) == 0)
        return fd;
    ::unlink(next.c_str());
    return {};
}

}  // namespace

void have_crash_stack() noexcept {
    static thread_local const CrashStack stack;
    static_cast<void>(stack);
}

Result<CrashRecord> CrashRecord::open(const std::string& file) {
    std::vector<Crash> crashes = read_crashes(file);
    UniqueFd fd = open_rewritten(file, crashes);
    // On a full disk the one that is there will do, a little longer.
    if (!fd) fd = UniqueFd(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) return error(ErrorCode::Misconfigured, std::string("cannot write it: ") + ::strerror(errno), file);
    return CrashRecord(file, std::move(fd), std::move(crashes));
}

CrashRecord::CrashRecord(CrashRecord&& other) noexcept
    : file_(std::move(other.file_)),
      fd_(std::move(other.fd_)),
      crashes_(std::move(other.crashes_)),
      watching_(std::exchange(other.watching_, false)) {}

CrashRecord::~CrashRecord() {
    if (!watching_) return;
    for (const int signal : kSignals) ::signal(signal, SIG_DFL);
    g_fd.store(-1, std::memory_order_relaxed);
}

void CrashRecord::watch() {
    g_fd.store(fd_.get(), std::memory_order_relaxed);
    watching_ = true;
    struct sigaction action {};
    action.sa_handler = on_crash;
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER | SA_ONSTACK);
    for (const int signal : kSignals) ::sigaction(signal, &action, nullptr);
}

std::string CrashRecord::blocked(std::string_view instance) const {
    std::vector<int64_t> times;
    for (const Crash& crash : crashes_) {
        if (crash.instance == instance) times.push_back(crash.unix_s);
    }
    std::sort(times.begin(), times.end());
    for (size_t i = 1; i < times.size(); ++i) {
        if (times[i] - times[i - 1] > kWithinS) continue;
        return "it crashed the host twice within " + std::to_string(kWithinS / 60) +
               " minutes and stays off; replace the plugin, then remove " + file_;
    }
    return {};
}

}  // namespace belfry::plugins
