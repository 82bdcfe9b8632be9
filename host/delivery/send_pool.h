// SPDX-License-Identifier: Apache-2.0
// The blocking half of a provider that is not HTTP: a few threads that call its `send`, paced like requests.
//
// A job is a block's portion: the pool does for it what the engine does for others. Verdicts come with it, so there is
// nothing to decode.
// Threads: submit, recall [any]; owners hear of progress on a pool thread.
// Owner: Generation; destroyed on no thread of its own, because jobs keep no generation.
#pragma once

#include <belfry/provider.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "http/plan.h"
#include "plugins/provider.h"

namespace belfry::delivery {

constexpr uint32_t kSendThreadsMax = 16;     // per generation
constexpr uint32_t kSendThreadsDefault = 4;  // if the plugin names no bound
constexpr uint32_t kItemsPerSend = 32;

// What send said about one item; `outcome` 0: nothing.
struct SendVerdict {
    int32_t outcome = 0, scope = 0;
    uint32_t flags = 0, variant = 0;
    int64_t retry_after_ms = 0, gone_unix_ms = 0;
    std::string reason;
};

// The deliveries of one block. Its strings are the block's.
struct SendJob {
    struct Run {  // of one push
        const plugins::Prepared* prepared = nullptr;
        uint32_t first = 0, n = 0;
    };
    http::Portion* portion = nullptr;
    std::vector<belfry_item> items;  // one per exchange of the portion
    std::vector<Run> runs;
    std::vector<SendVerdict> verdicts;  // by item
    std::atomic<bool> recalled{false};
    uint32_t next = 0;  // the pool's: items before it are finished
    size_t run = 0;     // the pool's
};

class SendPool {
public:
    SendPool(plugins::Provider& provider, const Clock& clock);
    ~SendPool();
    SendPool(const SendPool&) = delete;
    SendPool& operator=(const SendPool&) = delete;

    // The portion's owner hears on_complete exactly once.
    void submit(SendJob& job);
    // What is not yet given to the plugin finishes soon as NeverSent.
    void recall(SendJob& job);
    // Ends jobs after the call they are in; what was not given to the plugin finishes as NeverSent. Waits for the
    // calls.
    void stop();
    uint32_t threads() const noexcept { return static_cast<uint32_t>(threads_.size()); }

private:
    void run();
    // Nanoseconds until the pace allows more; 0: the job is finished.
    int64_t work(SendJob& job);
    void send(SendJob& job, const SendJob::Run& run, uint32_t from, uint32_t n);
    static void finish(SendJob& job, uint32_t item, http::Transport how, uint16_t status);

    plugins::Provider& provider_;
    const Clock& clock_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<SendJob*> high_, normal_;
    std::atomic<bool> stop_{false};
    std::vector<std::thread> threads_;
};

}  // namespace belfry::delivery
