// SPDX-License-Identifier: Apache-2.0
// Group commit of new pushes, clocked by itself: a batch is what arrived while the last one was committed. No timer.
//
// Threads: store [any], blocks until its push is durable; enqueue runs on the batcher's own thread.
// Owner: the delivery core.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "base/bounded_queue.h"
#include "base/one_shot.h"
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
    Batcher(const Options& options, plugins::Queue& queue, Node& node, Wakeup& scheduler);
    ~Batcher();
    Batcher(const Batcher&) = delete;
    Batcher& operator=(const Batcher&) = delete;

    // The queue's answer for this push. Busy: too many wait already. Unavailable: stopping.
    Result<belfry_enqueued> store(NewPush& push);
    // Commits what waits, then ends.
    void stop();

private:
    struct Waiting {
        NewPush* push = nullptr;
        size_t bytes = 0;
        belfry_enqueued answer{};
        Status failure;
        OneShot done;
    };
    void run();
    void commit(const std::vector<Waiting*>& batch);

    const Options& options_;
    plugins::Queue& queue_;
    Node& node_;
    Wakeup& scheduler_;
    BoundedQueue<Waiting*> waiting_;
    std::atomic<size_t> waiting_bytes_{0};
    std::thread thread_;
};

}  // namespace belfry::delivery
