// SPDX-License-Identifier: Apache-2.0
#include "serve/process.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <utility>

namespace belfry::serve {

namespace {

constexpr char kLockFile[] = "lock";
constexpr char kAddressFile[] = "listening";

sigset_t handled_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    return set;
}

Error not_made(const std::filesystem::path& path, int why) {
    return error(ErrorCode::Misconfigured,
                 std::string("cannot be made: ") + std::strerror(why) + "; choose another data_dir", path.string());
}

Error not_written(const std::filesystem::path& path, int why) {
    return error(ErrorCode::Misconfigured,
                 std::string("cannot be written: ") + std::strerror(why) + "; give it to this user", path.string());
}

// 0, or why this user may not.
int refusal(const std::filesystem::path& path, int access) {
    return ::faccessat(AT_FDCWD, path.c_str(), access, AT_EACCESS) == 0 ? 0 : errno;
}

}  // namespace

Result<DataDir> DataDir::open(const std::filesystem::path& path) {
    std::error_code failed;
    const bool made = std::filesystem::create_directories(path, failed);
    if (failed) return not_made(path, failed.value());
    if (made) std::filesystem::permissions(path, std::filesystem::perms::owner_all, failed);
    UniqueFd lock(::open((path / kLockFile).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock) return not_written(path, errno);
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        return error(ErrorCode::Misconfigured,
                     "is in use by another belfry; stop that one or set another data_dir: one process per directory",
                     path.string());
    }
    return DataDir(path, std::move(lock));
}

Status DataDir::check(const std::filesystem::path& path) {
    std::error_code failed;
    std::filesystem::path there = std::filesystem::absolute(path, failed);
    while (!std::filesystem::exists(there, failed) && there.has_relative_path()) there = there.parent_path();
    const bool made = std::filesystem::equivalent(there, path, failed);
    if (!std::filesystem::is_directory(there, failed)) return not_made(path, ENOTDIR);
    int why = refusal(there, W_OK | X_OK);
    if (why == 0 && made && std::filesystem::exists(path / kLockFile, failed))
        why = refusal(path / kLockFile, R_OK | W_OK);
    if (why == 0) return {};
    return made ? not_written(path, why) : not_made(path, why);
}

Status DataDir::publish_address(const std::string& address) const {
    const std::filesystem::path file = path_ / kAddressFile;
    std::error_code failed;
    if (address.empty()) {
        std::filesystem::remove(file, failed);
        return {};
    }
    const std::filesystem::path fresh = path_ / (std::string(kAddressFile) + ".new");
    {
        std::ofstream out(fresh, std::ios::trunc);
        out << address << '\n';
        if (!out.flush()) return error(ErrorCode::StoreFull, "cannot be written; is the disk full?", fresh.string());
    }
    std::filesystem::rename(fresh, file, failed);
    if (failed) return error(ErrorCode::Unavailable, failed.message(), file.string());
    return {};
}

void raise_file_limit(Logger& log) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        log.warning("cannot raise the limit of open files", {{"error", std::strerror(errno)}});
        return;
    }
    log.info("open files", {{"limit", limit.rlim_cur}});
}

void block_signals() {
    const sigset_t set = handled_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of that write, not the end
}

void wait_for_stop(const std::function<void()>& reload, const std::function<bool()>& look) {
    const sigset_t set = handled_signals();
    const timespec pause{1, 0};
    for (;;) {
        const int signal = sigtimedwait(&set, nullptr, &pause);
        if (signal == SIGTERM || signal == SIGINT) return;
        if (signal == SIGHUP) reload();
        if (!look()) return;
    }
}

bool stop_is_pending() {
    sigset_t pending;
    return sigpending(&pending) == 0 && (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

void let_signals_kill() {
    std::signal(SIGHUP, SIG_IGN);  // a certificate renewed meanwhile must not end the orderly stop
    const sigset_t set = handled_signals();
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace belfry::serve
