// SPDX-License-Identifier: Apache-2.0
#include "delivery/send_pool.h"

#include <belfry/abi.hpp>

#include <algorithm>
#include <chrono>
#include <span>

#include "base/named_thread.h"
#include "http/pacer.h"

namespace belfry::delivery {

namespace {

constexpr int64_t kLongestWaitNs = 20 * kNsPerMs;  // between looks at recalls while the pace holds a job up
constexpr size_t kReasonMax = 512;

}  // namespace

SendPool::SendPool(plugins::Provider& provider, const Clock& clock) : provider_(provider), clock_(clock) {
    const uint32_t wanted = provider.concurrency() == 0 ? kSendThreadsDefault : provider.concurrency();
    for (uint32_t i = 0; i < std::min(wanted, kSendThreadsMax); ++i)
        threads_.push_back(named_thread("send", [this] { run(); }));
}

SendPool::~SendPool() {
    stop();
}

void SendPool::stop() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_)
        if (thread.joinable()) thread.join();
}

void SendPool::submit(SendJob& job) {
    {
        const std::lock_guard lock(mutex_);
        (job.portion->high ? high_ : normal_).push_back(&job);
    }
    wake_.notify_one();
}

void SendPool::recall(SendJob& job) {
    job.recalled.store(true, std::memory_order_relaxed);
    wake_.notify_all();
}

void SendPool::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        std::deque<SendJob*>& queue = high_.empty() ? normal_ : high_;
        if (queue.empty()) {
            if (stop_) return;
            wake_.wait(lock);
            continue;
        }
        SendJob* job = queue.front();
        queue.pop_front();
        lock.unlock();
        const int64_t wait = work(*job);
        lock.lock();
        if (wait == 0) continue;
        (job->portion->high ? high_ : normal_).push_back(job);
        wake_.wait_for(lock, std::chrono::nanoseconds(std::min(wait, kLongestWaitNs)));
    }
}

int64_t SendPool::work(SendJob& job) {
    http::Pacer* const pacer = job.portion->pacer;
    const bool high = job.portion->high;
    while (job.next < job.items.size()) {
        const SendJob::Run& run = job.runs[job.run];
        const uint32_t end = run.first + run.n;
        const int64_t now = clock_.mono_ns();
        const bool over = stop_.load(std::memory_order_relaxed) || job.recalled.load(std::memory_order_relaxed) ||
                          now >= job.portion->unsent_until_mono_ns;
        uint32_t n = 0;
        int64_t wait = 0;
        while (!over && job.next + n < end && n < kItemsPerSend) {
            wait = pacer == nullptr ? 0 : pacer->try_take(now, high);
            if (wait > 0) break;
            ++n;
        }
        if (n == 0 && !over) return wait;
        if (over) n = end - job.next;
        const uint32_t from = job.next;
        const bool last = from + n == job.items.size();
        job.next += n;
        if (job.next == end) ++job.run;
        if (over) {
            for (uint32_t item = from; item < from + n; ++item) finish(job, item, http::Transport::NeverSent, 0);
        } else {
            send(job, run, from, n);
        }
        if (last) return 0;  // its owner may have forgotten the job
    }
    return 0;
}

void SendPool::send(SendJob& job, const SendJob::Run& run, uint32_t from, uint32_t n) {
    const std::span<const belfry_item> items(job.items.data() + from, n);
    const int64_t deadline = clock_.mono_ns() + job.portion->answer_timeout_ns;
    const Status done = provider_.send(*run.prepared, items, deadline, [&](const belfry_verdict& row) {
        job.verdicts[row.item] = {row.outcome,
                                  row.scope,
                                  row.flags,
                                  row.variant,
                                  row.retry_after_ms,
                                  row.gone_unix_ms,
                                  text(row.reason).substr(0, kReasonMax)};
    });
    // Nothing is known about items without a verdict: they may have been sent.
    static_cast<void>(done);
    for (uint32_t item = from; item < from + n; ++item) {
        const int32_t outcome = job.verdicts[item].outcome;
        finish(job, item, outcome == 0 ? http::Transport::Unknown : http::Transport::Answered,
               outcome == BELFRY_ACCEPTED ? 200 : 0);
    }
}

void SendPool::finish(SendJob& job, uint32_t item, http::Transport how, uint16_t status) {
    http::Portion& portion = *job.portion;
    http::Exchange& exchange = portion.exchanges[item];
    exchange.status = status;
    exchange.settle(how);
    const bool last = portion.finished.fetch_add(1, std::memory_order_acq_rel) + 1 == portion.exchanges.size();
    if (status != 200) portion.owner->on_exception(portion, exchange);
    if (last) portion.owner->on_complete(portion);
}

}  // namespace belfry::delivery
