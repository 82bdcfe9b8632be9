// SPDX-License-Identifier: Apache-2.0
// Removes devices that were neither registered nor updated for a configured time, in rounds over all apps made of small
// batches, so that registrations hardly notice.
//
// Threads: one of its own between start and stop; step is for it, and for tests that start none. Owner: serve().
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "plugins/storage.h"

namespace belfry::audience {

class InactiveCleanup {
public:
    // Devices of `apps` last seen longer ago than `max_age` are removed. The storage must offer EXPIRE.
    InactiveCleanup(std::vector<std::string> apps, std::chrono::milliseconds max_age, plugins::Storage& storage,
                    const Clock& clock, Log& log, Metrics& metrics);
    ~InactiveCleanup();
    InactiveCleanup(const InactiveCleanup&) = delete;
    InactiveCleanup& operator=(const InactiveCleanup&) = delete;

    void start();
    void stop();
    // [any] From the next round on.
    void set_apps(std::vector<std::string> apps);
    // One batch; how long to rest before the next.
    std::chrono::milliseconds step();

private:
    void run();
    std::chrono::milliseconds finish_app();

    std::vector<std::string> apps_;
    const std::chrono::milliseconds max_age_;
    plugins::Storage& storage_;
    const Clock& clock_;
    const Logger log_;
    Metric& removed_;
    size_t app_ = 0;         // whose devices are looked at
    int64_t before_ms_ = 0;  // of the current round; 0 = between rounds
    uint64_t removed_of_app_ = 0;

    std::mutex mutex_;
    std::condition_variable stopped_;
    bool stopping_ = false;
    std::optional<std::vector<std::string>> next_apps_;  // under mutex_
    std::thread thread_;
};

}  // namespace belfry::audience
