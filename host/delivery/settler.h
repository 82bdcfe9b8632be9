// SPDX-License-Identifier: Apache-2.0
// Writes what pages have done: the checkpoints of all pages that are waiting in one queue.page call. What they learnt
// about devices is handed on once that is written.
//
// While the queue cannot be written it waits and tries again with the same request numbers; pages wait with it, nothing
// is lost. Threads: settle [any]; one thread of its own. Owner: the delivery core.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "base/bounded_queue.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "delivery/device_facts.h"
#include "delivery/node.h"
#include "delivery/page.h"
#include "plugins/queue.h"
#include "plugins/storage.h"

namespace belfry::delivery {

class Settler {
public:
    Settler(plugins::Queue& queue, plugins::Storage& storage, Node& node, const Clock& clock, size_t pages_max,
            Log& log, Metrics& metrics);
    ~Settler();
    Settler(const Settler&) = delete;
    Settler& operator=(const Settler&) = delete;

    void settle(Page& page);
    // From then on it gives up on a queue that cannot be written, instead of waiting for it.
    void give_up_from(int64_t mono_ns) { give_up_at_ = mono_ns; }
    // Ends after what was given to it, waiting for the queue until `deadline` at most, or until give_up_from.
    void stop(int64_t deadline_mono_ns);

private:
    struct Part {
        Page* page;
        size_t checkpoint;
    };
    void run();
    void commit(const std::vector<Page*>& pages);
    // Answers those that are done and keeps the others in `parts` and `rows`.
    Status write(std::vector<Part>& parts, std::vector<belfry_checkpoint>& rows);
    void write_each(std::vector<Part>& parts, std::vector<belfry_checkpoint>& rows);
    void give_up(const std::vector<Part>& parts);
    void hand_on_facts(const std::vector<Page*>& pages);

    plugins::Queue& queue_;
    Node& node_;
    const Clock& clock_;
    const Logger log_;
    Metric& pages_;
    DeviceFacts facts_;
    BoundedQueue<Page*> waiting_;
    std::atomic<int64_t> give_up_at_;
    std::thread thread_;
};

}  // namespace belfry::delivery
