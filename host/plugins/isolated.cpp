// SPDX-License-Identifier: Apache-2.0
#include "plugins/isolated.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>  // sigabbrev_np
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/handles.h"

namespace belfry::plugins {

namespace {

constexpr char kDone = '\x04';  // behind the answer: it is whole

[[noreturn]] void be_child(const std::function<std::string()>& work, int out) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    const std::string answer = work() + kDone;
    for (size_t at = 0; at < answer.size();) {
        const ssize_t n = ::write(out, answer.data() + at, answer.size() - at);
        if (n < 0 && errno != EINTR) break;
        if (n > 0) at += static_cast<size_t>(n);
    }
    ::_exit(0);  // what the parent has open, or not yet written, is the parent's
}

// True if the other end was closed before the time was over.
bool read_to_end(int fd, std::chrono::steady_clock::time_point until, std::string& text) {
    std::array<char, 4096> buffer;
    while (true) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        if (left.count() <= 0) return false;
        pollfd waiting{fd, POLLIN, 0};
        if (::poll(&waiting, 1, static_cast<int>(left.count())) <= 0) continue;
        const ssize_t n = ::read(fd, buffer.data(), buffer.size());
        if (n > 0) text.append(buffer.data(), static_cast<size_t>(n));
        if (n == 0 || (n < 0 && errno != EINTR)) return true;
    }
}

}  // namespace

std::string end_of(int exit_status) {
    if (!WIFSIGNALED(exit_status))
        return "ended the process (exit code " + std::to_string(WEXITSTATUS(exit_status)) + ")";
    const char* name = ::sigabbrev_np(WTERMSIG(exit_status));
    return "crashed (SIG" + std::string(name == nullptr ? "?" : name) + ")";
}

Result<std::string> in_child(const std::function<std::string()>& work, std::chrono::milliseconds at_most) {
    int fds[2] = {-1, -1};
    if (::pipe2(fds, O_CLOEXEC) != 0)
        return error(ErrorCode::Unavailable, std::string("cannot make a pipe: ") + std::strerror(errno));
    const UniqueFd in(fds[0]);
    UniqueFd out(fds[1]);
    const pid_t child = ::fork();
    if (child < 0) return error(ErrorCode::Unavailable, std::string("cannot make a process: ") + std::strerror(errno));
    if (child == 0) be_child(work, out.get());
    out.reset();
    std::string answer;
    const bool ended = read_to_end(in.get(), std::chrono::steady_clock::now() + at_most, answer);
    const bool whole = !answer.empty() && answer.back() == kDone;
    if (!ended && !whole) ::kill(child, SIGKILL);
    int exit_status = 0;
    while (::waitpid(child, &exit_status, 0) < 0 && errno == EINTR) {
    }
    if (whole) {
        answer.pop_back();
        return answer;
    }
    if (!ended)
        return error(ErrorCode::DeadlineExceeded, "was not done after " + std::to_string(at_most.count()) + " ms");
    return error(ErrorCode::Internal, end_of(exit_status));
}

}  // namespace belfry::plugins
