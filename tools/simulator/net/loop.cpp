// SPDX-License-Identifier: Apache-2.0
#include "net/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace belfry::simulator {

namespace {

constexpr int kEventsPerWait = 256;
constexpr std::uint64_t kWakeTag = ~std::uint64_t{0};

std::uint64_t tag_of(int fd, std::uint32_t generation) {
    return (std::uint64_t{generation} << 32) | static_cast<std::uint32_t>(fd);
}

[[noreturn]] void fail(const char* what) {
    throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

}  // namespace

Loop::Loop() : epoll_fd_(epoll_create1(EPOLL_CLOEXEC)), wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (epoll_fd_ < 0 || wake_fd_ < 0) fail("cannot create an event loop");
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = kWakeTag;
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wake_fd_, &event) != 0) fail("cannot watch the wake descriptor");
}

Loop::~Loop() {
    close(wake_fd_);
    close(epoll_fd_);
}

void Loop::run() {
    std::array<epoll_event, kEventsPerWait> events;
    while (!stopping_.load(std::memory_order_acquire)) {
        const int count = epoll_wait(epoll_fd_, events.data(), kEventsPerWait, wait_ms());
        if (count < 0 && errno != EINTR) fail("epoll_wait");
        for (int i = 0; i < count; ++i) {
            dispatch(events[static_cast<std::size_t>(i)].data.u64, events[static_cast<std::size_t>(i)].events);
        }
        run_posted();
        run_due_timers();
    }
    run_posted();
}

void Loop::stop() {
    stopping_.store(true, std::memory_order_release);
    post([] {});
}

void Loop::post(Task task) {
    {
        const std::lock_guard lock(posted_mutex_);
        posted_.push_back(std::move(task));
    }
    const std::uint64_t one = 1;
    // A full eventfd counter already means "wake up": nothing is lost when the write fails.
    [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof one);
}

void Loop::add(int fd, std::uint32_t events, Watcher& watcher) {
    const auto index = static_cast<std::size_t>(fd);
    if (slots_.size() <= index) slots_.resize(index + 1);
    slots_[index].watcher = &watcher;
    ++slots_[index].generation;
    epoll_event event{};
    event.events = events;
    event.data.u64 = tag_of(fd, slots_[index].generation);
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll add");
}

void Loop::modify(int fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = tag_of(fd, slots_[static_cast<std::size_t>(fd)].generation);
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event) != 0) fail("epoll modify");
}

void Loop::remove(int fd) {
    slots_[static_cast<std::size_t>(fd)].watcher = nullptr;
    epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
}

void Loop::after(Duration delay, Task task) {
    timers_.push({now() + delay, next_timer_++, std::move(task)});
}

int Loop::wait_ms() const {
    if (timers_.empty()) return -1;
    const auto left = timers_.top().due - now();
    if (left.count() <= 0) return 0;
    const auto rounded_up = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    return rounded_up > 60'000 ? 60'000 : static_cast<int>(rounded_up);
}

void Loop::dispatch(std::uint64_t tag, std::uint32_t events) {
    if (tag == kWakeTag) {
        std::uint64_t count = 0;
        [[maybe_unused]] const ssize_t got = read(wake_fd_, &count, sizeof count);
        return;
    }
    const auto index = static_cast<std::size_t>(tag & 0xffffffffU);
    const auto generation = static_cast<std::uint32_t>(tag >> 32);
    if (index >= slots_.size() || slots_[index].watcher == nullptr || slots_[index].generation != generation) return;
    slots_[index].watcher->on_events(events);
}

void Loop::run_due_timers() {
    const auto until = now();
    while (!timers_.empty() && timers_.top().due <= until) {
        Task task = timers_.top().task;
        timers_.pop();
        task();
    }
}

void Loop::run_posted() {
    std::vector<Task> tasks;
    {
        const std::lock_guard lock(posted_mutex_);
        tasks.swap(posted_);
    }
    for (Task& task : tasks) task();
}

}  // namespace belfry::simulator
