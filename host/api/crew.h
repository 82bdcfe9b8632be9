// SPDX-License-Identifier: Apache-2.0
// A few threads that help callers with independent pieces of work; a caller always does its share, so that a busy crew
// only makes it slower.
//
// Threads: [any]. Owner: Service. Ends: run() calls must have returned.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace belfry::api {

class Crew {
public:
    explicit Crew(size_t threads);
    ~Crew();
    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;

    // work(0) ... work(n - 1), each once, in any order and at the same time; returns when all are done. `work` must not
    // throw.
    void run(size_t n, const std::function<void(size_t)>& work);

private:
    struct Job;
    void help();

    std::mutex mutex_;
    std::condition_variable offered_;
    std::deque<std::shared_ptr<Job>> jobs_;  // one per running caller: bounded by the API's threads
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace belfry::api
