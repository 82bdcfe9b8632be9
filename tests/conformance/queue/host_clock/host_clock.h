// SPDX-License-Identifier: Apache-2.0
// A queue for the specification, whose cases move the host's clock, where what counts for the queue is its store's. The
// wrapped queue is the one that is shipped, over a store whose clock has an offset; before each call that offset is set
// to the host's. The queue knows nothing of it: it has no setting that moves its clock.
//
// `Store` is made of (services, configuration) and has `start()` and `move(offset_ms)`.
// Threads: as queue.h says.
#pragma once

#include <belfry/queue.hpp>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>

namespace belfry::host_clock {

template <class Inner, class Store>
class HostClock final : public Queue<HostClock<Inner, Store>>, public Limiter {
public:
    using App = QueueBase::App;
    static constexpr uint32_t kFlags = Inner::kFlags;
    static constexpr uint32_t kItemBytesMax = Inner::kItemBytesMax;
    static constexpr uint32_t kLimiterFlags = Inner::kLimiterFlags;

    HostClock(Services services, std::string_view config)
        : services_(services), store_(services, config), inner_(store_.make_queue(services, config)) {}

    void start(int64_t deadline_mono_ns) override {
        inner_->start(deadline_mono_ns);
        store_.start();
        is_started_ = true;
        set();
    }
    void enqueue(uint64_t node, Rows<belfry_new_push> pushes, const Emit<belfry_enqueued>& emit) override {
        inner().enqueue(node, pushes, emit);
    }
    void claim(uint64_t node, int32_t lane, Rows<uint32_t> gates, uint32_t n, uint32_t wait_ms,
               const Emit<belfry_claimed>& emit) override {
        inner().claim(node, lane, gates, n, wait_ms, emit);
    }
    void blobs(Rows<uint64_t> ids, const Emit<belfry_blob>& emit) override { inner().blobs(ids, emit); }
    void page(uint64_t node, Rows<belfry_checkpoint> checkpoints, const Emit<belfry_paged>& emit) override {
        inner().page(node, checkpoints, emit);
    }
    void steer(App app, Rows<belfry_str> uids, int32_t verb, const Emit<belfry_steered>& emit) override {
        inner().steer(app, uids, verb, emit);
    }
    void changes(int64_t since, const Emit<belfry_change>& emit) override { inner().changes(since, emit); }
    void beat(uint64_t node, belfry_pulse& pulse) override { inner().beat(node, pulse); }
    uint32_t upkeep(uint64_t node, uint32_t budget_ms) override { return inner().upkeep(node, budget_ms); }
    void lookup(App app, Rows<belfry_str> uids, const Emit<belfry_push_row>& emit) override {
        inner().lookup(app, uids, emit);
    }
    std::string list(App app, int32_t state, std::string_view cursor, uint32_t limit,
                     const Emit<belfry_push_row>& emit) override {
        return inner().list(app, state, cursor, limit, emit);
    }
    void dead(App app, std::string_view uid, uint64_t after, uint32_t limit,
              const Emit<belfry_dead_row>& emit) override {
        inner().dead(app, uid, after, limit, emit);
    }
    uint32_t replay(App app, Rows<uint64_t> ids, bool ignore_expiry) override {
        return inner().replay(app, ids, ignore_expiry);
    }
    void stats(belfry_queue_stats& stats) override { inner().stats(stats); }
    std::string dump(std::string_view cursor, uint32_t limit, const Emit<belfry_str>& emit) override {
        return inner().dump(cursor, limit, emit);
    }
    void load(Rows<belfry_str> records) override { inner().load(records); }
    bool purge_app(App app, uint32_t limit) override { return inner().purge_app(app, limit); }
    void charge(Rows<belfry_policy> policies, Rows<belfry_charge> charges, int64_t deadline_mono_ns,
                const Emit<belfry_charged>& emit) override {
        inner().charge(policies, charges, deadline_mono_ns, emit);
    }

private:
    static constexpr int64_t kNoticedMs = 5;  // the two clocks are read one after the other

    int64_t host_offset() const {
        const auto real = std::chrono::system_clock::now().time_since_epoch();
        return services_.unix_ms() - std::chrono::duration_cast<std::chrono::milliseconds>(real).count();
    }
    void set() {
        offset_ = host_offset();
        store_.move(offset_);
    }
    // The queue, with its clock where the host's is.
    Inner& inner() {
        const std::lock_guard lock(mutex_);
        if (is_started_ && std::llabs(host_offset() - offset_) > kNoticedMs) set();
        return *inner_;
    }

    Services services_;
    Store store_;
    std::unique_ptr<Inner> inner_;
    std::mutex mutex_;
    bool is_started_ = false;
    int64_t offset_ = 0;
};

}  // namespace belfry::host_clock
