// SPDX-License-Identifier: Apache-2.0
// belfry.queue/1 in memory, strict about ownership: what a page writes is checked, and every push's sums can be asked
// for.
//
// Threads: [any].
#pragma once

#include <belfry/queue.h>
#include <belfry/abi.hpp>

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"

namespace belfry::fakes {

class MemoryQueue {
public:
    explicit MemoryQueue(const Clock& clock) : clock_(clock) {}
    const belfry_queue* table() const { return &table_; }
    belfry_instance* instance() { return reinterpret_cast<belfry_instance*>(this); }

    struct Sums {
        bool known = false;
        int32_t state = 0, lane = 0;
        int64_t planned = 0;
        bool planned_final = false;
        std::map<int32_t, int64_t> outcomes;
        std::vector<std::string> samples;
        uint32_t live_items = 0, dead_entries = 0, most_live_items = 0;
        int64_t settled() const {
            int64_t sum = 0;
            for (const auto& [outcome, n] : outcomes) sum += n;
            return sum;
        }
    };
    Sums sums(const std::string& uid) const;
    // Every live item is due and claimable now, whoever held it: as after the death of its owner.
    void reap();
    void expire(const std::string& uid);
    // What is due later is due now.
    void make_due();
    // (gate, attempt, entries) of every list that waits.
    struct Waiting {
        uint32_t gate, attempt, flags;
        size_t entries;
        int64_t due_unix_ms;
    };
    std::vector<Waiting> lists() const;
    std::vector<std::string> faults() const;  // what pages did against the contract
    size_t page_calls() const { return page_calls_; }
    size_t stale_pages() const { return stale_pages_; }
    size_t enqueue_calls() const { return enqueue_calls_; }

    std::atomic<int> failing_pages{0};  // so many page calls fail
    std::string damaged_uid;            // page calls that bring something of this push are refused; set before use
    std::atomic<int> failing_enqueues{0};
    std::atomic<bool> busy{false};  // enqueue answers BUSY
    // How items of a lane are ordered: by start-time fair queueing, as a real queue, or just by arrival.
    std::atomic<bool> fair{false};

private:
    struct Push {
        std::string app, uid, body;
        uint8_t fingerprint[16] = {};
        int32_t state = BELFRY_PUSH_RUNNING, lane = 0;
        int64_t send_at = 0, expires = 0, created = 0, finished = 0, planned = 0;
        uint64_t body_blob = 0;
        std::map<std::pair<uint32_t, int32_t>, int64_t> tallies;
        std::vector<std::string> samples;
        uint32_t dead_entries = 0, most_live_items = 0;
        std::vector<int64_t> dead_keys;
    };
    struct Item {
        int32_t kind = 0, lane = 0;
        uint32_t gate = 0, epoch = 0, attempt = 1, flags = 0;
        uint64_t push = 0, blob = 0, owner = 0;
        bool initial = true, parked = false;
        int64_t after = -1, hi = 0, due = 0, ready = 0, order = 0, vt = 0;
        std::vector<int64_t> keys;
        std::vector<uint32_t> picks;
        std::vector<uint64_t> members;  // pushes of a bundle
    };
    struct Dead {
        Item item;
        std::string note;
        uint32_t attempt = 0;
        int64_t buried = 0, replayed = 0;
        size_t entries() const { return item.keys.size() + item.picks.size(); }
    };
    static MemoryQueue& self(belfry_instance* i) { return *reinterpret_cast<MemoryQueue*>(i); }
    static belfry_code enqueue(belfry_instance*, uint64_t, belfry_list, belfry_emit, void*, belfry_why*);
    static belfry_code claim(belfry_instance*, uint64_t, int32_t, belfry_list, uint32_t, uint32_t, belfry_emit, void*,
                             belfry_why*);
    static belfry_code blobs(belfry_instance*, belfry_list, belfry_emit, void*, belfry_why*);
    static belfry_code page(belfry_instance*, uint64_t, belfry_list, belfry_emit, void*, belfry_why*);
    static belfry_code steer(belfry_instance*, belfry_str, belfry_list, int32_t, belfry_emit, void*, belfry_why*);
    static belfry_code changes(belfry_instance*, int64_t, belfry_emit, void*, belfry_why*);
    static belfry_code beat(belfry_instance*, uint64_t, belfry_pulse*, belfry_why*);
    static belfry_code upkeep(belfry_instance*, uint64_t, uint32_t, uint32_t*, belfry_why*);
    static belfry_code lookup(belfry_instance*, belfry_str, belfry_list, belfry_emit, void*, belfry_why*);
    static belfry_code list(belfry_instance*, belfry_str, int32_t, belfry_str, uint32_t, belfry_emit, void*, char[64],
                            belfry_why*);
    static belfry_code dead(belfry_instance*, belfry_str, belfry_str, uint64_t, uint32_t, belfry_emit, void*,
                            belfry_why*);
    static belfry_code replay(belfry_instance*, belfry_str, belfry_list, int32_t, uint32_t*, belfry_why*);
    static belfry_code stats(belfry_instance*, belfry_queue_stats*, belfry_why*);
    static belfry_queue make_table();

    uint64_t store(const belfry_new_push& row);
    void emit_claimed(uint64_t id, Item& item, belfry_emit emit, void* ctx);
    belfry_code apply(uint64_t node, const belfry_checkpoint& checkpoint, std::vector<belfry_ref>& mine);
    void apply_owed(const Item& item, const belfry_owed& owed, uint32_t index, uint64_t node,
                    std::vector<belfry_ref>& mine);
    Push& push_of(const Item& item, uint32_t member) {
        return pushes_.at(item.kind == BELFRY_WORK_BUNDLE ? item.members.at(member) : item.push);
    }
    uint32_t live_items(uint64_t push) const;
    void close_if_done(uint64_t push);
    belfry_push_row row_of(uint64_t id, const Push& push, std::vector<belfry_tally>& tallies,
                           std::vector<belfry_sample>& samples) const;
    void fault(std::string what) { faults_.push_back(std::move(what)); }
    const Push* find(const std::string& uid) const;

    const belfry_queue table_ = make_table();
    const Clock& clock_;
    mutable std::mutex mutex_;
    std::map<uint64_t, Push> pushes_;
    std::map<uint64_t, Item> items_;
    std::map<uint64_t, Dead> dead_;
    std::map<uint64_t, std::string> blobs_;
    std::map<std::pair<std::string, std::string>, uint64_t> uids_;
    std::vector<std::pair<int64_t, uint64_t>> changes_;  // number, push
    std::vector<std::string> faults_;
    uint64_t next_id_ = 1;
    int64_t next_order_ = 1;
    std::map<int32_t, int64_t> virtual_time_;  // by lane: of the item claimed last
    uint32_t next_epoch_ = 1;
    std::atomic<size_t> page_calls_{0}, stale_pages_{0}, enqueue_calls_{0};
};

}  // namespace belfry::fakes
