// SPDX-License-Identifier: Apache-2.0
// Decides what is worked on next: claims items lane by lane, for open gates only, as long as page slots are free.
//
// It never waits for a provider: a closed gate is simply not named in the claim. While nothing is ready it sleeps until
// it is rung (something was enqueued, settled, moved, opened) and looks again at least every `idle_claim_ms`. Threads:
// one of its own; ring [any] through its Wakeup. Owner: the delivery core.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
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
    // No more claims, and none under way: on a queue beyond the network one may take seconds, and what it brings must
    // be a page before anybody waits for the last one. Pages are still ticked until end().
    void stop_claiming() {
        const std::lock_guard lock(claim_mutex_);
        claiming_ = false;
    }
    void end();

private:
    void run();
    // True if something was claimed.
    bool claim_round();
    uint32_t claim(uint32_t lane, uint32_t slots);

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
    bool claiming_ = true;  // under claim_mutex_, which is held for a round of claims
    std::atomic<bool> ended_{false};
    std::thread thread_;
};

}  // namespace belfry::delivery
