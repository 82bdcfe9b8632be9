// SPDX-License-Identifier: Apache-2.0
#include "http/timers.h"

namespace belfry::http {

Timer::~Timer() {
    timers_.remove(*this);
}

void Timer::arm(int64_t at_mono_ns) {
    if (at_mono_ns == due_) return;
    if (at_mono_ns == kNever) {
        timers_.remove(*this);
        return;
    }
    due_ = at_mono_ns;
    if (place_ == kNowhere) {
        timers_.heap_.push_back(this);
        place_ = timers_.heap_.size() - 1;
    }
    timers_.sift(place_);
}

void Timers::sift(size_t at) noexcept {
    Timer* timer = heap_[at];
    while (at > 0 && heap_[(at - 1) / 2]->due_ > timer->due_) {
        place(at, heap_[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    while (true) {
        size_t child = 2 * at + 1;
        if (child >= heap_.size()) break;
        if (child + 1 < heap_.size() && heap_[child + 1]->due_ < heap_[child]->due_) ++child;
        if (heap_[child]->due_ >= timer->due_) break;
        place(at, heap_[child]);
        at = child;
    }
    place(at, timer);
}

void Timers::remove(Timer& timer) noexcept {
    const size_t at = timer.place_;
    timer.due_ = kNever;
    timer.place_ = Timer::kNowhere;
    if (at == Timer::kNowhere) return;
    Timer* last = heap_.back();
    heap_.pop_back();
    if (last == &timer) return;
    place(at, last);
    sift(at);
}

void Timers::run(int64_t now_mono_ns) noexcept {
    // A timer that arms itself for the past again waits for the next run: the budget is what the heap held at first.
    for (size_t budget = heap_.size(); budget > 0 && next_due() <= now_mono_ns; --budget) {
        Timer& timer = *heap_.front();
        remove(timer);
        timer.on_time(now_mono_ns);
    }
}

}  // namespace belfry::http
