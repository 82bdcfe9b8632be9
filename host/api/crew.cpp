// SPDX-License-Identifier: Apache-2.0
#include "api/crew.h"

#include <algorithm>

#include "base/named_thread.h"

namespace belfry::api {

// Shared by its caller and the helpers that work on it; `work` is the caller's and is only called before the caller
// returns.
struct Crew::Job {
    Job(size_t count, const std::function<void(size_t)>& what) : n(count), work(what) {}

    // False once everything is taken.
    bool take_one() {
        const size_t index = next.fetch_add(1);
        if (index >= n) return false;
        work(index);
        if (done.fetch_add(1) + 1 == n) {
            const std::lock_guard lock(mutex);
            finished.notify_all();
        }
        return true;
    }
    void wait() {
        std::unique_lock lock(mutex);
        finished.wait(lock, [this] { return done.load() == n; });
    }

    const size_t n;
    const std::function<void(size_t)>& work;
    std::atomic<size_t> next{0}, done{0};
    std::mutex mutex;
    std::condition_variable finished;
};

Crew::Crew(size_t threads) {
    for (size_t i = 0; i < threads; ++i) threads_.push_back(named_thread("api-crew", [this] { help(); }));
}

Crew::~Crew() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    offered_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

void Crew::run(size_t n, const std::function<void(size_t)>& work) {
    if (n == 0) return;
    const auto job = std::make_shared<Job>(n, work);
    {
        const std::lock_guard lock(mutex_);
        jobs_.push_back(job);
    }
    offered_.notify_all();
    while (job->take_one()) {
    }
    job->wait();
    const std::lock_guard lock(mutex_);
    std::erase(jobs_, job);
}

void Crew::help() {
    while (true) {
        std::shared_ptr<Job> job;
        {
            std::unique_lock lock(mutex_);
            offered_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
            if (stopping_) return;
            job = jobs_.front();
            // The next helper looks at another caller first.
            jobs_.push_back(job);
            jobs_.pop_front();
        }
        if (!job->take_one()) {
            const std::lock_guard lock(mutex_);
            std::erase(jobs_, job);
        }
    }
}

}  // namespace belfry::api
