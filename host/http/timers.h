// SPDX-License-Identifier: Apache-2.0
// A heap of timers that know their place in it, so that moving one is O(log n) and allocates nothing.
// Threads: [loop].  Owner: the loop has the heap, connections and pools have their timers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace belfry::http {

inline constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

class Timers;

// Derive from it to hear of the time. Leaves its heap when it is destroyed.
class Timer {
public:
    explicit Timer(Timers& timers) noexcept : timers_(timers) {}
    virtual ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    // Due at `at` instead of whenever it was due before; kNever disarms.
    void arm(int64_t at_mono_ns);
    void arm_earlier(int64_t at_mono_ns) {
        if (at_mono_ns < due_) arm(at_mono_ns);
    }
    int64_t due() const noexcept { return due_; }
    // Disarmed when called; may arm itself again.
    virtual void on_time(int64_t now_mono_ns) noexcept = 0;

private:
    friend class Timers;
    static constexpr size_t kNowhere = std::numeric_limits<size_t>::max();
    Timers& timers_;
    int64_t due_ = kNever;
    size_t place_ = kNowhere;
};

class Timers {
public:
    int64_t next_due() const noexcept { return heap_.empty() ? kNever : heap_.front()->due_; }
    // Calls each timer that is due at most once.
    void run(int64_t now_mono_ns) noexcept;

private:
    friend class Timer;
    void place(size_t at, Timer* timer) noexcept {
        heap_[at] = timer;
        timer->place_ = at;
    }
    void sift(size_t at) noexcept;
    void remove(Timer& timer) noexcept;
    std::vector<Timer*> heap_;
};

}  // namespace belfry::http
