// SPDX-License-Identifier: Apache-2.0
#include "delivery/batcher.h"

#include <belfry/abi.hpp>

#include <span>

namespace belfry::delivery {

namespace {

constexpr int64_t kBusyRetryMs = 1'000;

Error busy() {
    Error full = error(ErrorCode::Busy, "too many pushes wait to be stored; try again");
    full.retry_after_ms = kBusyRetryMs;
    return full;
}

// The rows of a batch with everything they refer to.
struct Rows {
    std::vector<belfry_new_push> pushes;
    std::vector<std::vector<belfry_str>> blobs;
    std::vector<std::vector<belfry_new_item>> items;

    void add(const NewPush& push) {
        std::vector<belfry_str>& texts = blobs.emplace_back();
        for (const std::string& blob : push.blobs) texts.push_back(str(std::string_view(blob)));
        std::vector<belfry_new_item>& rows = items.emplace_back();
        for (const NewPush::Item& item : push.items) {
            belfry_new_item row = item.row;
            row.keys = list_of(item.keys);
            row.picks = list_of(item.picks);
            rows.push_back(row);
        }
        belfry_new_push row = push.row;
        row.app = str(std::string_view(push.app));
        row.uid = str(std::string_view(push.uid));
        row.body = str(std::string_view(push.body));
        row.blobs = list_of(texts);
        row.items = list_of(rows);
        pushes.push_back(row);
    }
};

}  // namespace

size_t NewPush::bytes() const {
    size_t sum = sizeof(NewPush) + body.size();
    for (const std::string& blob : blobs) sum += blob.size();
    for (const Item& item : items) sum += item.keys.size() * sizeof(int64_t) + item.picks.size() * sizeof(uint32_t);
    return sum;
}

Batcher::Batcher(const Options& options, plugins::Queue& queue, Node& node, Wakeup& scheduler)
    : options_(options),
      queue_(queue),
      node_(node),
      scheduler_(scheduler),
      waiting_(options.enqueue_waiting_max),
      thread_([this] { run(); }) {}

Batcher::~Batcher() {
    stop();
}

void Batcher::stop() {
    waiting_.close();
    if (thread_.joinable()) thread_.join();
}

Result<belfry_enqueued> Batcher::store(NewPush& push) {
    Waiting waiting;
    waiting.push = &push;
    waiting.bytes = push.bytes();
    if (waiting_bytes_.fetch_add(waiting.bytes) + waiting.bytes > options_.enqueue_waiting_bytes_max) {
        waiting_bytes_.fetch_sub(waiting.bytes);
        return busy();
    }
    Waiting* mine = &waiting;
    if (!waiting_.try_push(std::move(mine))) {
        waiting_bytes_.fetch_sub(waiting.bytes);
        if (waiting_.closed()) return error(ErrorCode::Unavailable, "the server is stopping; send the push again");
        return busy();
    }
    waiting.done.wait();
    waiting_bytes_.fetch_sub(waiting.bytes);
    if (!waiting.failure) return waiting.failure.error();
    return waiting.answer;
}

void Batcher::run() {
    std::vector<Waiting*> batch;
    for (;;) {
        const std::vector<Waiting*> arrived = waiting_.pop_all(options_.enqueue_batch_max);
        if (arrived.empty()) return;
        size_t bytes = 0;
        for (Waiting* waiting : arrived) {
            if (!batch.empty() && bytes + waiting->bytes > options_.enqueue_batch_bytes_max) {
                commit(batch);
                batch.clear();
                bytes = 0;
            }
            batch.push_back(waiting);
            bytes += waiting->bytes;
        }
        commit(batch);
        batch.clear();
    }
}

void Batcher::commit(const std::vector<Waiting*>& batch) {
    Rows rows;
    rows.pushes.reserve(batch.size());
    for (const Waiting* waiting : batch) rows.add(*waiting->push);
    const Status done =
        queue_.enqueue(node_.id(), rows.pushes, [&](const belfry_enqueued& row) { batch[row.index]->answer = row; });
    scheduler_.ring();
    for (Waiting* waiting : batch) {
        if (!done) waiting->failure = done.error();
        waiting->done.set();  // from here on `waiting` may be gone
    }
}

}  // namespace belfry::delivery
