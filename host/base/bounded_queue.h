// SPDX-License-Identifier: Apache-2.0
// A queue between threads with a bound that is part of its type's construction: producers are told when it is full.
// Threads: [any].
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace belfry {

template <class T>
class BoundedQueue {
public:
    explicit BoundedQueue(size_t items_max) : items_max_(items_max) {}

    // False if the queue is full or closed; the item is then untouched.
    [[nodiscard]] bool try_push(T&& item) {
        {
            std::lock_guard lock(mutex_);
            if (closed_ || items_.size() >= items_max_) return false;
            items_.push_back(std::move(item));
        }
        ready_.notify_one();
        return true;
    }
    // Waits for room. False only if the queue is closed.
    [[nodiscard]] bool push(T&& item) {
        {
            std::unique_lock lock(mutex_);
            room_.wait(lock, [&] { return closed_ || items_.size() < items_max_; });
            if (closed_) return false;
            items_.push_back(std::move(item));
        }
        ready_.notify_one();
        return true;
    }
    // The next item; nothing once the queue is closed and empty.
    std::optional<T> pop() {
        std::unique_lock lock(mutex_);
        ready_.wait(lock, [&] { return closed_ || !items_.empty(); });
        return take(lock);
    }
    // Everything that is there, at most n; waits for the first. Empty once closed and drained.
    std::vector<T> pop_all(size_t n) {
        std::vector<T> batch;
        {
            std::unique_lock lock(mutex_);
            ready_.wait(lock, [&] { return closed_ || !items_.empty(); });
            while (!items_.empty() && batch.size() < n) {
                batch.push_back(std::move(items_.front()));
                items_.pop_front();
            }
        }
        room_.notify_all();
        return batch;
    }
    // No more pushes; what is inside can still be popped.
    void close() {
        {
            std::lock_guard lock(mutex_);
            closed_ = true;
        }
        ready_.notify_all();
        room_.notify_all();
    }
    size_t size() const {
        std::lock_guard lock(mutex_);
        return items_.size();
    }
    bool closed() const {
        std::lock_guard lock(mutex_);
        return closed_;
    }

private:
    std::optional<T> take(std::unique_lock<std::mutex>& lock) {
        if (items_.empty()) return std::nullopt;
        std::optional<T> item(std::move(items_.front()));
        items_.pop_front();
        lock.unlock();
        room_.notify_one();
        return item;
    }

    const size_t items_max_;
    mutable std::mutex mutex_;
    std::condition_variable ready_, room_;
    std::deque<T> items_;
    bool closed_ = false;
};

}  // namespace belfry
