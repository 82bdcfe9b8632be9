// SPDX-License-Identifier: Apache-2.0
// The threads that move pages. Runnable pages of lane `high` go first, and one worker takes nothing else.
//
// Threads: push [any]. Bounded: a page is in the list at most once.
// Owner: PagePool.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace belfry::delivery {

class Page;

class Workers {
public:
    // `count` workers for all lanes and one for `high`.
    explicit Workers(unsigned count);
    ~Workers();
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;
    void push(Page& page);
    // Ends the threads once nothing is runnable.
    void stop();

private:
    struct List {
        Page* first = nullptr;
        Page* last = nullptr;
        void push(Page& page);
        Page* pop();
    };
    void work(bool high_only);

    std::mutex mutex_;
    std::condition_variable any_, high_ready_;
    List high_, others_;
    bool stop_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace belfry::delivery
