// SPDX-License-Identifier: Apache-2.0
// Group commit of new pushes, clocked by itself: a batch is what arrived while the last one was committed. No timer.
//
// Threads: store [any], never waits; enqueue, and what is done then, run on the batcher's own thread.
// Owner: the delivery core.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/bounded_queue.h"
#include "base/result.h"
#include "delivery/node.h"
#include "delivery/options.h"
#include "delivery/wakeup.h"
#include "plugins/queue.h"

namespace belfry::delivery {

// A push ready to be stored; owns what belfry_new_push refers to.
struct NewPush {
    belfry_new_push row{};  // numbers only; strings and lists are filled in from below
    std::string app, uid, body;
    std::vector<std::string> blobs;
    struct Item {
        belfry_new_item row{};
        std::vector<int64_t> keys;
        std::vector<uint32_t> picks;
    };
    std::vector<Item> items;

    size_t bytes() const;
};

class Batcher {
public:
    Batcher(const Options& options, plugins::Queue& queue, Node& node, const Clock& clock, Wakeup& scheduler);
    ~Batcher();
    Batcher(const Batcher&) = delete;
    Batcher& operator=(const Batcher&) = delete;

    // Given the push back with the queue's answer for it. Busy: too many wait already. Unavailable: stopping.
    using Stored = std::function<void(NewPush&&, Result<belfry_enqueued>&&)>;
    // `stored` is called once: by the caller's thread for what is refused at once, else by the batcher's, which all
    // others wait for meanwhile.
    void store(NewPush&& push, Stored stored);
    // Commits what waits, then ends.
    void stop();

private:
    struct Waiting {
        NewPush push;
        size_t bytes = 0;
        belfry_enqueued answer{};
        Stored stored;
    };
    using Batch = std::vector<std::unique_ptr<Waiting>>;
    void run();
    bool may_store();
    void commit(Batch& batch);

    const Options& options_;
    plugins::Queue& queue_;
    Node& node_;
    const Clock& clock_;
    Wakeup& scheduler_;
    BoundedQueue<std::unique_ptr<Waiting>> waiting_;
    std::atomic<size_t> waiting_bytes_{0};
    std::thread thread_;
};

}  // namespace belfry::delivery
