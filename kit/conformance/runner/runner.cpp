// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/runner.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace belfry::conformance {

namespace {

constexpr size_t kShownBytes = 60;

// "world.cpp:12": where in the kit an expectation stands.
std::string place(const char* file, int line) {
    const std::string_view path = file;
    const size_t slash = path.rfind('/');
    return " [" + std::string(slash == std::string_view::npos ? path : path.substr(slash + 1)) + ":" +
           std::to_string(line) + "]";
}

}  // namespace

void Context::step(std::string_view what) noexcept {
    if (step_room.empty()) return;
    const size_t n = std::min(what.size(), step_room.size() - 1);
    std::memcpy(step_room.data(), what.data(), n);
    step_room[n] = '\0';
}

void require(bool holds, std::string_view expected, int line, const char* file) {
    if (!holds) throw Failed("expected: " + std::string(expected) + place(file, line));
}

void fail_unequal(std::string_view what, const std::string& wanted, const std::string& found, int line,
                  const char* file) {
    throw Failed(std::string(what) + ": expected " + wanted + ", came " + found + place(file, line));
}

void skip(const std::string& reason) {
    throw Skipped(reason);
}

std::string shown(std::string_view value) {
    std::string text = "\"";
    for (const char c : value.substr(0, kShownBytes)) text += c >= ' ' && c < 127 ? c : '?';
    return text + (value.size() > kShownBytes ? "...\"" : "\"");
}

std::string shown(int64_t value) {
    return std::to_string(value);
}

void run_together(size_t n, const std::function<void(size_t)>& work) {
    std::vector<std::exception_ptr> errors(n);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < n; ++i) {
        threads.emplace_back([&, i] {
            try {
                work(i);
            } catch (...) {
                errors[i] = std::current_exception();
            }
        });
    }
    for (auto& thread : threads) thread.join();
    for (const auto& error : errors) {
        if (error) std::rethrow_exception(error);
    }
}

Background::Background(std::function<void(const std::atomic<bool>&)> work)
    : thread_([this, work = std::move(work)] {
          try {
              work(stop_);
          } catch (...) {
              error_ = std::current_exception();
          }
      }) {}

Background::~Background() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
}

void Background::finish() {
    stop_ = true;
    thread_.join();
    if (error_) std::rethrow_exception(error_);
}

namespace {

constexpr int kChildDone = 0, kChildFailed = 1;

void drain(int in, std::vector<int64_t>* reported) {
    int64_t number = 0;
    // Reports are written in one piece of 8 bytes, less than PIPE_BUF, so they arrive whole.
    while (::read(in, &number, sizeof number) == static_cast<ssize_t>(sizeof number)) reported->push_back(number);
}

}  // namespace

bool run_and_kill(const std::function<void(const std::function<void(int64_t)>&)>& work,
                  const std::function<bool(const std::vector<int64_t>&)>& now, std::vector<int64_t>* reported) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw Failed(std::string("pipe: ") + std::strerror(errno));
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(ends[0]);
        try {
            work([&](int64_t number) {
                if (::write(ends[1], &number, sizeof number) != static_cast<ssize_t>(sizeof number))
                    ::_exit(kChildFailed);
            });
        } catch (...) {
            ::_exit(kChildFailed);
        }
        ::_exit(kChildDone);
    }
    ::close(ends[1]);
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    int status = 0;
    bool ended = false;
    for (;;) {
        drain(ends[0], reported);
        ended = ::waitpid(child, &status, WNOHANG) == child;
        if (ended || now(*reported)) break;
        ::usleep(200);
    }
    if (!ended) {
        ::kill(child, SIGKILL);
        ::waitpid(child, &status, 0);
    }
    drain(ends[0], reported);
    ::close(ends[0]);
    if (WIFEXITED(status) && WEXITSTATUS(status) != kChildDone)
        throw Failed("the process to be killed failed by itself");
    return WIFSIGNALED(status);
}

}  // namespace belfry::conformance
