// SPDX-License-Identifier: Apache-2.0
// What deliveries taught about devices goes to the storage: dead tokens are removed, variants learnt.
//
// On a thread of its own: where most tokens of a broadcast are dead, removing them takes as long as sending, and no
// page may wait for it. What came meanwhile is one call, and after each call it rests: a file is written far less often
// for many devices at once, and sending has the processors first. Bounded; what finds no room is forgotten and counted,
// the next push teaches it again. Threads: removed, learnt [any]; one thread of its own. Owner: the settler.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <limits>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <belfry/storage.h>

#include "base/bounded_queue.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "plugins/storage.h"

namespace belfry::delivery {

constexpr size_t kFactsMax = 200'000;  // that wait; 72 bytes each
// Above so many it does not rest: what is forgotten has to be learnt again.
constexpr size_t kFactsRestMax = kFactsMax / 2;

class DeviceFacts {
public:
    DeviceFacts(plugins::Storage& storage, const Clock& clock, Log& log, Metrics& metrics);
    ~DeviceFacts();
    DeviceFacts(const DeviceFacts&) = delete;
    DeviceFacts& operator=(const DeviceFacts&) = delete;

    // Devices of `app` whose tokens are dead.
    void dead(const std::string& app, std::vector<belfry_fact> facts) { add(app, Kind::Dead, std::move(facts)); }
    // Variants of tokens of `app`.
    void learnt(const std::string& app, std::vector<belfry_fact> facts) { add(app, Kind::Learnt, std::move(facts)); }
    // Ends after what was given to it, or at the deadline without the rest; nothing more is taken.
    void stop(int64_t deadline_mono_ns);

private:
    enum class Kind : uint8_t { Dead, Learnt };
    struct Batch {
        std::string app;
        Kind kind = Kind::Dead;
        std::vector<belfry_fact> facts;
    };
    void add(const std::string& app, Kind kind, std::vector<belfry_fact> facts);
    void run();
    std::vector<Batch> next();
    void settle(const Batch& batch);
    void invalidate(const Batch& batch);
    void amend(const Batch& batch);
    void rest(int64_t worked_ns);

    plugins::Storage& storage_;
    const Clock& clock_;
    const Logger log_;
    Metric& removed_;
    Metric& forgotten_;
    BoundedQueue<Batch> waiting_;
    std::atomic<size_t> facts_{0};  // in waiting_, and in work
    std::atomic<int64_t> give_up_at_{std::numeric_limits<int64_t>::max()};
    std::mutex resting_;
    std::condition_variable wake_;
    std::thread thread_;
};

}  // namespace belfry::delivery
