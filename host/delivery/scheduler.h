// SPDX-License-Identifier: Apache-2.0
// Decides what is worked on next: claims items lane by lane, for open gates only, as long as page slots are free.
//
// It never waits for a provider: a closed gate is simply not named in the claim. While nothing is ready it sleeps until
// it is rung (something was enqueued, settled, moved, opened) and looks again at least every `idle_claim_ms`. Threads:
// one of its own; ring [any] through its Wakeup. Owner: the delivery core.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "delivery/gates.h"
#include "delivery/node.h"
#include "delivery/page_pool.h"
#include "delivery/wakeup.h"
#include "plugins/queue.h"
#include "policy/lanes.h"

namespace belfry::delivery {

class Scheduler {
public:
    Scheduler(const Options& options, plugins::Queue& queue, Node& node, Gates& gates, StoreClock& clock,
              Wakeup& wakeup, Log& log, Metrics& metrics);
    ~Scheduler();
    Scheduler(const Scheduler&) = delete;
    Scheduler& operator=(const Scheduler&) = delete;

    void start(PagePool& pages);
    // No more claims. What one under way brings from now on becomes no page: the queue takes it back when it ends.
    // Pages are still ticked until end().
    void stop_claiming() {
        const std::lock_guard lock(claim_mutex_);
        claiming_ = false;
    }
    // Until no claim is under way, at most until then: a queue that does not answer holds nobody up.
    void wait_claimed(std::chrono::steady_clock::time_point until) {
        std::unique_lock lock(claim_mutex_);
        claimed_.wait_until(lock, until, [this] { return !in_round_; });
    }
    void end();

private:
    void run();
    // True if something was claimed.
    bool claim_round();
    bool claim_lanes();
    // Nothing: the queue could not be asked.
    std::optional<uint32_t> claim(uint32_t lane, uint32_t slots);
    Page* take(uint32_t lane, const belfry_claimed& row);

    const Options& options_;
    plugins::Queue& queue_;
    Node& node_;
    Gates& gates_;
    StoreClock& clock_;
    Wakeup& wakeup_;
    const Logger log_;
    PagePool* pages_ = nullptr;
    policy::LaneShares shares_;
    std::vector<uint32_t> open_gates_;
    int64_t quiet_until_ = 0;  // mono ns: after a failed claim
    std::array<Metric*, policy::kLanes> lag_{};
    std::array<Metric*, policy::kLanes> claims_{};
    std::mutex claim_mutex_;
    std::condition_variable claimed_;
    bool claiming_ = true, in_round_ = false;  // under claim_mutex_
    std::atomic<bool> ended_{false};
    std::thread thread_;
};

}  // namespace belfry::delivery
