// SPDX-License-Identifier: Apache-2.0
#include "delivery/batcher.h"

#include <belfry/abi.hpp>

#include <span>

#include "base/named_thread.h"

namespace belfry::delivery {

namespace {

constexpr int64_t kBusyRetryMs = 1'000;

Error busy() {
    Error full = error(ErrorCode::Busy, "too many pushes wait to be stored; try again");
    full.retry_after_ms = kBusyRetryMs;
    return full;
}

Error out_of_touch() {
    return error(ErrorCode::Unavailable, "the queue has not answered for seconds; send the push again");
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

Batcher::Batcher(const Options& options, plugins::Queue& queue, Node& node, const Clock& clock, Wakeup& scheduler)
    : options_(options),
      queue_(queue),
      node_(node),
      clock_(clock),
      scheduler_(scheduler),
      waiting_(options.enqueue_waiting_max),
      thread_(named_thread("batcher", [this] { run(); })) {}

Batcher::~Batcher() {
    stop();
}

void Batcher::stop() {
    waiting_.close();
    node_.end_waiting();
    if (thread_.joinable()) thread_.join();
}

void Batcher::store(NewPush&& push, Stored stored) {
    auto waiting = std::make_unique<Waiting>();
    const size_t bytes = push.bytes();
    *waiting = {std::move(push), bytes, {}, std::move(stored)};
    const bool room = waiting_bytes_.fetch_add(bytes) + bytes <= options_.enqueue_waiting_bytes_max;
    Waiting& mine = *waiting;  // as long as the queue does not take it
    if (room && waiting_.try_push(std::move(waiting))) return;
    waiting_bytes_.fetch_sub(bytes);
    const bool stopping = room && waiting_.closed();
    mine.stored(std::move(mine.push),
                stopping ? error(ErrorCode::Unavailable, "the server is stopping; send the push again") : busy());
}

void Batcher::run() {
    Batch batch;
    for (;;) {
        Batch arrived = waiting_.pop_all(options_.enqueue_batch_max);
        if (arrived.empty()) return;
        size_t bytes = 0;
        for (std::unique_ptr<Waiting>& waiting : arrived) {
            if (!batch.empty() && bytes + waiting->bytes > options_.enqueue_batch_bytes_max) {
                commit(batch);
                bytes = 0;
            }
            bytes += waiting->bytes;
            batch.push_back(std::move(waiting));
        }
        commit(batch);
    }
}

// A process that stood still longer than its lease may have been left out when everything was moved to other stores:
// what it stored now would be acknowledged and never sent.
bool Batcher::may_store() {
    return !queue_.offers(BELFRY_QUEUE_MULTI_NODE) ||
           node_.is_confirmed(clock_, options_.beat_good_ms * kNsPerMs,
                              std::chrono::milliseconds(options_.beat_awaited_ms));
}

// Leaves the batch empty.
void Batcher::commit(Batch& batch) {
    Rows rows;
    rows.pushes.reserve(batch.size());
    for (const std::unique_ptr<Waiting>& waiting : batch) rows.add(waiting->push);
    const auto keep = [&](const belfry_enqueued& row) { batch[row.index]->answer = row; };
    const Status done = may_store() ? queue_.enqueue(node_.id(), rows.pushes, keep) : Status(out_of_touch());
    scheduler_.ring();
    for (const std::unique_ptr<Waiting>& waiting : batch) {
        waiting_bytes_.fetch_sub(waiting->bytes);
        if (done)
            waiting->stored(std::move(waiting->push), waiting->answer);
        else
            waiting->stored(std::move(waiting->push), done.error());
    }
    batch.clear();
}

}  // namespace belfry::delivery
