// SPDX-License-Identifier: Apache-2.0
// The clockwork of the queue: heartbeat, moving what is due, hearing which pushes were stopped.
//
// Threads: two of its own: beats are never held up by upkeep.
// Owner: the delivery core.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "delivery/node.h"
#include "delivery/options.h"
#include "delivery/page_pool.h"
#include "delivery/stopped_pushes.h"
#include "delivery/store_clock.h"
#include "delivery/wakeup.h"
#include "plugins/queue.h"

namespace belfry::delivery {

class Upkeep {
public:
    Upkeep(const Options& options, plugins::Queue& queue, Node& node, StoreClock& clock, StoppedPushes& stopped,
           Wakeup& scheduler, Log& log);
    ~Upkeep();
    Upkeep(const Upkeep&) = delete;
    Upkeep& operator=(const Upkeep&) = delete;

    // The first beat is made before it returns: the store's clock is known from then on. `may_work` is asked after each
    // beat (Core::start); `give_up` ends all claims.
    Status start(PagePool& pages, std::function<Status()> may_work, std::function<void()> give_up);
    void stop();
    // As if this push's change had been heard: for what this process stopped itself.
    void heard(const std::string& app, const std::string& uid, int32_t state);

private:
    Result<belfry_pulse> beat();
    Status still_may_work();
    void run_beats();
    void run_upkeep();
    void hear_changes();

    const Options& options_;
    plugins::Queue& queue_;
    Node& node_;
    StoreClock& clock_;
    StoppedPushes& stopped_;
    Wakeup& scheduler_;
    const Logger log_;
    PagePool* pages_ = nullptr;
    std::function<Status()> may_work_;
    std::function<void()> give_up_;
    int64_t change_ = 0;  // the last one heard
    std::atomic<bool> ended_{false};
    Wakeup beat_wakeup_, upkeep_wakeup_;
    std::thread beats_, upkeep_;
};

}  // namespace belfry::delivery
