// SPDX-License-Identifier: Apache-2.0
// One epoll loop: watched descriptors, timers, and work posted from other threads.
//
// Threads: run() owns the loop's thread; post() and stop() may be called from any thread, everything else only on it.
// Owner: whoever starts the thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <queue>
#include <vector>

namespace belfry::simulator {

class Watcher {
public:
    virtual ~Watcher() = default;
    virtual void on_events(std::uint32_t events) = 0;
};

class Loop {
public:
    using Duration = std::chrono::milliseconds;
    using Task = std::function<void()>;

    Loop();
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    void run();
    void stop();
    void post(Task task);

    // A watcher may remove itself or any other inside on_events: events of a removed descriptor are dropped.
    void add(int fd, std::uint32_t events, Watcher& watcher);
    void modify(int fd, std::uint32_t events);
    void remove(int fd);

    // Timers cannot be cancelled; a task looks up what it needs by id and finds it gone.
    void after(Duration delay, Task task);

    [[nodiscard]] static std::chrono::steady_clock::time_point now() { return std::chrono::steady_clock::now(); }

private:
    struct Slot {
        Watcher* watcher = nullptr;
        std::uint32_t generation = 0;
    };
    struct Timer {
        std::chrono::steady_clock::time_point due;
        std::uint64_t sequence;
        Task task;
        bool operator>(const Timer& other) const {
            return due != other.due ? due > other.due : sequence > other.sequence;
        }
    };

    [[nodiscard]] int wait_ms() const;
    void dispatch(std::uint64_t tag, std::uint32_t events);
    void run_due_timers();
    void run_posted();

    int epoll_fd_;
    int wake_fd_;
    std::vector<Slot> slots_;
    std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
    std::uint64_t next_timer_ = 0;
    std::atomic<bool> stopping_{false};
    std::mutex posted_mutex_;
    std::vector<Task> posted_;
};

}  // namespace belfry::simulator
