// SPDX-License-Identifier: Apache-2.0
// What the queue in memory tells: pushes, dead letters (and their replay), statistics, and sums for tests.
#include <algorithm>

#include "fakes/memory_queue.h"

namespace belfry::fakes {

belfry_push_row MemoryQueue::row_of(uint64_t id, const Push& push, std::vector<belfry_tally>& tallies,
                                    std::vector<belfry_sample>& samples) const {
    tallies.clear();
    samples.clear();
    for (const auto& [key, n] : push.tallies) {
        belfry_tally row = sized<belfry_tally>();
        row.gate = key.first;
        row.outcome = key.second;
        row.n = static_cast<uint32_t>(n);
        tallies.push_back(row);
    }
    for (const std::string& line : push.samples) {
        belfry_sample row = sized<belfry_sample>();
        row.text = str(std::string_view(line));
        samples.push_back(row);
    }
    belfry_push_row row = sized<belfry_push_row>();
    row.state = push.state;
    row.lane = push.lane;
    row.planned = push.planned;
    row.live_items = live_items(id);
    row.planned_final = 1;
    for (const auto& [other_id, item] : items_) {
        if (item.push != id) continue;
        if (item.initial) row.planned_final = 0;
        if (item.kind == BELFRY_WORK_SLICE) row.range_left += item.hi - item.after;
    }
    row.created_unix_ms = push.created;
    row.send_at_unix_ms = push.send_at;
    row.expires_unix_ms = push.expires;
    row.finished_unix_ms = push.finished;
    row.app = str(std::string_view(push.app));
    row.uid = str(std::string_view(push.uid));
    row.body = push.body_blob;
    row.tallies = list_of(tallies);
    row.samples = list_of(samples);
    return row;
}

belfry_code MemoryQueue::lookup(belfry_instance* i, belfry_str app, belfry_list uids, belfry_emit emit, void* ctx,
                                belfry_why*) {
    MemoryQueue& me = self(i);
    const std::lock_guard lock(me.mutex_);
    std::vector<belfry_tally> tallies;
    std::vector<belfry_sample> samples;
    for (uint32_t n = 0; n < uids.n; ++n) {
        const auto known = me.uids_.find({text(app), text(Rows<belfry_str>(uids)[n])});
        if (known == me.uids_.end()) continue;
        belfry_push_row row = me.row_of(known->second, me.pushes_.at(known->second), tallies, samples);
        row.index = n;
        emit(ctx, one_row(row));
    }
    return BELFRY_OK;
}

belfry_code MemoryQueue::list(belfry_instance* i, belfry_str app, int32_t state, belfry_str, uint32_t limit,
                              belfry_emit emit, void* ctx, char[64], belfry_why*) {
    MemoryQueue& me = self(i);
    const std::lock_guard lock(me.mutex_);
    std::vector<belfry_tally> tallies;
    std::vector<belfry_sample> samples;
    for (auto at = me.pushes_.rbegin(); at != me.pushes_.rend() && limit > 0; ++at) {
        if (at->second.app != view(app) || (state != 0 && at->second.state != state)) continue;
        --limit;
        const belfry_push_row row = me.row_of(at->first, at->second, tallies, samples);
        emit(ctx, one_row(row));
    }
    return BELFRY_OK;
}

belfry_code MemoryQueue::dead(belfry_instance* i, belfry_str app, belfry_str uid, uint64_t after, uint32_t limit,
                              belfry_emit emit, void* ctx, belfry_why*) {
    MemoryQueue& me = self(i);
    const std::lock_guard lock(me.mutex_);
    for (auto at = me.dead_.upper_bound(after); at != me.dead_.end() && limit > 0; ++at) {
        const Dead& dead = at->second;
        const Push& push = me.pushes_.at(dead.item.push);
        if (push.app != view(app) || (uid.n > 0 && push.uid != view(uid))) continue;
        --limit;
        belfry_dead_row row = sized<belfry_dead_row>();
        row.id = at->first;
        row.attempt = dead.attempt;
        row.gate = dead.item.gate;
        row.entries = static_cast<uint32_t>(dead.entries());
        row.buried_unix_ms = dead.buried;
        row.replayed_unix_ms = dead.replayed;
        row.app = str(std::string_view(push.app));
        row.uid = str(std::string_view(push.uid));
        row.note = str(std::string_view(dead.note));
        emit(ctx, one_row(row));
    }
    return BELFRY_OK;
}

belfry_code MemoryQueue::replay(belfry_instance* i, belfry_str app, belfry_list ids, int32_t ignore_expiry,
                                uint32_t* replayed, belfry_why*) {
    MemoryQueue& me = self(i);
    const std::lock_guard lock(me.mutex_);
    *replayed = 0;
    for (const uint64_t id : Rows<uint64_t>(ids)) {
        const auto at = me.dead_.find(id);
        if (at == me.dead_.end() || at->second.replayed != 0) continue;
        Push& push = me.pushes_.at(at->second.item.push);
        const bool expired = push.expires != 0 && push.expires <= me.clock_.unix_ms();
        if (push.app != view(app) || push.state == BELFRY_PUSH_CANCELLED || (expired && ignore_expiry == 0)) continue;
        if (expired) push.expires = 0;
        push.state = BELFRY_PUSH_RUNNING;
        push.finished = 0;
        push.tallies[{at->second.item.gate, BELFRY_FINAL_DEAD}] -= static_cast<int64_t>(at->second.entries());
        at->second.replayed = me.clock_.unix_ms();
        Item& item = me.items_[me.next_id_++] = at->second.item;
        item.attempt = 1;
        item.due = 0;
        item.order = me.next_order_++;
        ++*replayed;
    }
    return BELFRY_OK;
}

belfry_code MemoryQueue::stats(belfry_instance* i, belfry_queue_stats* out, belfry_why*) {
    MemoryQueue& me = self(i);
    const std::lock_guard lock(me.mutex_);
    const int64_t now = me.clock_.unix_ms();
    for (const auto& [id, item] : me.items_) {
        if (item.kind == 0) continue;
        if (item.owner != 0) {
            ++out->claimed[item.lane];
        } else if (item.parked) {
            ++out->parked;
        } else if (item.due > now) {
            ++out->delayed;
        } else {
            ++out->ready[item.lane];
            int64_t& oldest = out->oldest_ready_unix_ms[item.lane];
            oldest = oldest == 0 ? item.ready : std::min(oldest, item.ready);
        }
    }
    for (const auto& [id, dead] : me.dead_) out->dead += dead.replayed == 0;
    for (const auto& [id, push] : me.pushes_) {
        out->running_pushes += push.state == BELFRY_PUSH_RUNNING;
        out->delayed_pushes += push.state == BELFRY_PUSH_DELAYED;
    }
    return BELFRY_OK;
}

const MemoryQueue::Push* MemoryQueue::find(const std::string& uid) const {
    for (const auto& [id, push] : pushes_) {
        if (push.uid == uid) return &push;
    }
    return nullptr;
}

MemoryQueue::Sums MemoryQueue::sums(const std::string& uid) const {
    const std::lock_guard lock(mutex_);
    Sums sums;
    for (const auto& [id, push] : pushes_) {
        if (push.uid != uid) continue;
        sums.known = true;
        sums.state = push.state;
        sums.lane = push.lane;
        sums.planned = push.planned;
        sums.samples = push.samples;
        sums.live_items = live_items(id);
        sums.most_live_items = push.most_live_items;
        sums.dead_entries = push.dead_entries;
        for (const auto& [key, n] : push.tallies) sums.outcomes[key.second] += n;
    }
    return sums;
}

std::vector<MemoryQueue::Waiting> MemoryQueue::lists() const {
    const std::lock_guard lock(mutex_);
    std::vector<Waiting> lists;
    for (const auto& [id, item] : items_) {
        if (item.kind != BELFRY_WORK_LIST || item.owner != 0) continue;
        lists.push_back({item.gate, item.attempt, item.flags, item.keys.size() + item.picks.size(), item.due});
    }
    return lists;
}

std::vector<std::string> MemoryQueue::faults() const {
    const std::lock_guard lock(mutex_);
    return faults_;
}

}  // namespace belfry::fakes
