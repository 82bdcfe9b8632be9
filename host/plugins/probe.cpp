// SPDX-License-Identifier: Apache-2.0
#include "plugins/probe.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

#include "base/handles.h"
#include "plugins/isolated.h"
#include "plugins/refusal.h"

namespace belfry::plugins {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr size_t kOutputBytesMax = 64 * 1024;  // of each stream; more is a plugin that prints without end
constexpr int kReadsAtOnce = 16;
constexpr int kResultFd = 3;
constexpr std::chrono::milliseconds kExitWait{2'000};

struct Pipe {
    UniqueFd read, write;
};
Result<Pipe> make_pipe() {
    int fds[2] = {-1, -1};
    if (::pipe2(fds, O_CLOEXEC) != 0)
        return error(ErrorCode::Unavailable, std::string("cannot make a pipe: ") + std::strerror(errno));
    return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}
// For what the host writes: unlike a pipe, it can be told not to raise SIGPIPE.
Result<Pipe> make_socket() {
    int fds[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
        return error(ErrorCode::Unavailable, std::string("cannot make a socket: ") + std::strerror(errno));
    return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// What a plugin may inherit: everything but the host's own settings, which may be secrets.
std::vector<char*> child_environment() {
    std::vector<char*> variables;
    for (char** at = environ; *at != nullptr; ++at) {
        if (std::strncmp(*at, "BELFRY_", 7) != 0) variables.push_back(*at);
    }
    variables.push_back(nullptr);
    return variables;
}

// The child while it runs. Ended and reaped by the destructor at the latest; only this process id is ever signalled,
// and only before it was reaped.
class Child {
public:
    Child(const ProbeOptions& options, const std::string& copy, std::string_view manifest)
        : options_(options), copy_(copy), manifest_(manifest) {}
    ~Child() { end(); }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    Status start();
    // Reads until the verdict, the end of the child or a time-out.
    void listen();
    Result<ProbeReport> verdict(const std::string& file);

private:
    void end() noexcept;
    void take_lines();
    void take(std::string_view line);
    void enter_stage(std::string_view stage);
    bool feed_and_read(std::chrono::milliseconds wait);
    static bool drain(UniqueFd& fd, std::string& into);
    std::string last_words() const;
    std::string how_it_ended() const;

    const ProbeOptions& options_;
    const std::string& copy_;
    std::string_view manifest_;  // what is not yet written to the child
    UniqueFd input_, result_, output_;
    std::string lines_, said_;
    pid_t pid_ = -1;
    int exit_status_ = 0;
    bool reaped_ = false, hung_ = false, done_ = false;
    std::string stage_ = "starting";
    SteadyClock::time_point stage_since_ = SteadyClock::now();
    std::string slow_stage_;
    std::chrono::milliseconds slow_for_{0};
    std::optional<std::string> refused_;
    ProbeReport report_;
};

Status Child::start() {
    Result<Pipe> in = make_socket(), result = make_pipe(), out = make_pipe();
    if (!in) return in.error();
    if (!result) return result.error();
    if (!out) return out.error();
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    // The result first: descriptor 3 may be any of the others' now.
    const int result_fd = ::fcntl(result->write.get(), F_DUPFD_CLOEXEC, 10);
    const UniqueFd result_copy(result_fd);
    ::posix_spawn_file_actions_adddup2(&actions, in->read.get(), STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, out->write.get(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, result_fd, kResultFd);
    ::posix_spawn_file_actions_addclosefrom_np(&actions, kResultFd + 1);
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    std::string program = options_.program, copy = copy_;
    std::array<char*, 3> arguments{program.data(), copy.data(), nullptr};
    std::vector<char*> environment = child_environment();
    const int failed =
        ::posix_spawn(&pid_, program.c_str(), &actions, &attributes, arguments.data(), environment.data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    if (failed != 0) {
        pid_ = -1;
        return error(ErrorCode::Misconfigured, "cannot start " + options_.program + " (" + std::strerror(failed) +
                                                   "); it is installed beside belfry");
    }
    input_ = std::move(in->write);
    result_ = std::move(result->read);
    output_ = std::move(out->read);
    for (const int fd : {input_.get(), result_.get(), output_.get()}) ::fcntl(fd, F_SETFL, O_NONBLOCK);
    stage_since_ = SteadyClock::now();
    return {};
}

// False once there is nothing more to come.
bool Child::drain(UniqueFd& fd, std::string& into) {
    std::array<char, 4096> buffer;
    for (int reads = 0; reads < kReadsAtOnce; ++reads) {
        const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
        if (n > 0) {
            into.append(buffer.data(),
                        std::min(static_cast<size_t>(n), kOutputBytesMax - std::min(kOutputBytesMax, into.size())));
            continue;
        }
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return true;
        fd.reset();
        return false;
    }
    return true;
}

bool Child::feed_and_read(std::chrono::milliseconds wait) {
    std::array<pollfd, 3> fds{pollfd{result_.get(), POLLIN, 0}, pollfd{output_.get(), POLLIN, 0},
                              pollfd{input_.get(), POLLOUT, 0}};
    const int ready = ::poll(fds.data(), fds.size(), static_cast<int>(std::max<int64_t>(wait.count(), 0)));
    if (ready < 0 && errno != EINTR) return false;
    if (ready <= 0) return true;
    if (input_ && fds[2].revents != 0) {
        const ssize_t n =
            manifest_.empty() ? 0 : ::send(input_.get(), manifest_.data(), manifest_.size(), MSG_NOSIGNAL);
        if (n > 0) manifest_.remove_prefix(static_cast<size_t>(n));
        if (manifest_.empty() || (n < 0 && errno != EAGAIN && errno != EINTR)) input_.reset();
    }
    if (output_ && fds[1].revents != 0) drain(output_, said_);
    return fds[0].revents == 0 || drain(result_, lines_);
}

void Child::listen() {
    while (!done_) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(options_.hang - (SteadyClock::now() - stage_since_));
        if (left.count() <= 0) {
            hung_ = true;
            break;
        }
        const bool more = feed_and_read(left);
        take_lines();
        if (!more) break;
    }
    end();
}

void Child::take_lines() {
    size_t end = 0;
    while ((end = lines_.find('\n')) != std::string::npos) {
        take(std::string_view(lines_).substr(0, end));
        lines_.erase(0, end + 1);
    }
}

void Child::take(std::string_view line) {
    const size_t space = line.find(' ');
    const std::string_view verb = line.substr(0, space),
                           rest = space == std::string_view::npos ? std::string_view{} : line.substr(space + 1);
    if (verb == "stage") enter_stage(rest);
    if (verb == "note") report_.notes.emplace_back(rest);
    if (verb == "refused") refused_ = rest;
    if (verb == "ok" || verb == "refused") {
        enter_stage("ending");
        done_ = true;
    }
}

void Child::enter_stage(std::string_view stage) {
    const auto now = SteadyClock::now();
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(now - stage_since_);
    const bool judged = stage_.find("entry") != std::string::npos || stage_.find("create") != std::string::npos;
    if (judged && took > options_.slow && slow_stage_.empty()) {
        slow_stage_ = stage_;
        slow_for_ = took;
    }
    stage_ = stage;
    stage_since_ = now;
}

void Child::end() noexcept {
    if (pid_ < 0 || reaped_) return;
    const auto until = SteadyClock::now() + kExitWait;
    while (!hung_ && SteadyClock::now() < until) {
        const pid_t ended = ::waitpid(pid_, &exit_status_, WNOHANG);
        if (ended == pid_) {
            reaped_ = true;
            return;
        }
        ::poll(nullptr, 0, 2);
    }
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, &exit_status_, 0) < 0 && errno == EINTR) {
    }
    reaped_ = true;
}

// The last line that the plugin printed, for crashes that explain themselves.
std::string Child::last_words() const {
    std::string_view text = said_;
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
    text = text.substr(text.rfind('\n') + 1);
    const std::string line = one_line(std::string(text.substr(0, 200)));
    return line.empty() ? line : " (it said: " + line + ")";
}

std::string Child::how_it_ended() const {
    return end_of(exit_status_) + " while " + stage_ + last_words();
}

Result<ProbeReport> Child::verdict(const std::string& file) {
    const std::string report = "report it to the plugin's author";
    if (hung_)
        return refusal(
            file,
            "made no progress for " + std::to_string(options_.hang.count()) + " ms while " + stage_ + last_words(),
            report);
    if (refused_) return error(ErrorCode::Misconfigured, *refused_, file);
    if (!done_) return refusal(file, how_it_ended(), report);
    if (!slow_stage_.empty()) {
        return refusal(file,
                       "took " + std::to_string(slow_for_.count()) + " ms while " + slow_stage_ + ", at most " +
                           std::to_string(options_.slow.count()) + " are allowed",
                       "I/O belongs into start; " + report);
    }
    return report_;
}

}  // namespace

Result<ProbeReport> probe(const ProbeOptions& options, const std::string& copy, std::string_view manifest,
                          const std::string& file) {
    Child child(options, copy, manifest);
    if (const Status started = child.start(); !started)
        return error(started.error().code, started.error().message, file);
    child.listen();
    return child.verdict(file);
}

}  // namespace belfry::plugins
