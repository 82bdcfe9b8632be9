// SPDX-License-Identifier: Apache-2.0
#include "fakes/memory_queue.h"

#include <algorithm>
#include <cstring>
#include <tuple>

namespace belfry::fakes {

namespace {

template <class T>
std::vector<T> copy(belfry_list list) {
    std::vector<T> out;
    for (const T& value : Rows<T>(list)) out.push_back(value);
    return out;
}

bool final_state(int32_t state) {
    return state == BELFRY_PUSH_DONE || state == BELFRY_PUSH_CANCELLED || state == BELFRY_PUSH_EXPIRED;
}

bool stops(int32_t state) {
    return state == BELFRY_PUSH_CANCELLED || state == BELFRY_PUSH_EXPIRED;
}

}  // namespace

belfry_queue MemoryQueue::make_table() {
    belfry_queue table = sized<belfry_queue>();
    table.item_bytes_max = 32u << 20;
    table.enqueue = &MemoryQueue::enqueue;
    table.claim = &MemoryQueue::claim;
    table.blobs = &MemoryQueue::blobs;
    table.page = &MemoryQueue::page;
    table.steer = &MemoryQueue::steer;
    table.changes = &MemoryQueue::changes;
    table.beat = &MemoryQueue::beat;
    table.upkeep = &MemoryQueue::upkeep;
    table.lookup = &MemoryQueue::lookup;
    table.list = &MemoryQueue::list;
    table.dead = &MemoryQueue::dead;
    table.replay = &MemoryQueue::replay;
    table.stats = &MemoryQueue::stats;
    return table;
}

uint64_t MemoryQueue::store(const belfry_new_push& row) {
    const uint64_t id = next_id_++;
    Push& push = pushes_[id];
    push.app = text(row.app);
    push.uid = text(row.uid);
    push.body = text(row.body);
    std::memcpy(push.fingerprint, row.fingerprint, sizeof push.fingerprint);
    push.lane = row.lane;
    push.send_at = row.send_at_unix_ms;
    push.expires = row.expires_unix_ms;
    push.created = clock_.unix_ms();
    push.body_blob = next_id_++;
    blobs_[push.body_blob] = push.body;
    std::vector<uint64_t> blob_ids;
    for (const belfry_str& blob : Rows<belfry_str>(row.blobs)) {
        blob_ids.push_back(next_id_++);
        blobs_[blob_ids.back()] = text(blob);
    }
    for (const belfry_new_item& from : Rows<belfry_new_item>(row.items)) {
        Item& item = items_[next_id_++];
        item.kind = from.kind;
        item.lane = row.lane;
        item.gate = from.gate;
        item.push = id;
        item.after = from.after;
        item.hi = from.hi;
        item.due = row.send_at_unix_ms;
        item.ready = clock_.unix_ms();
        item.order = next_order_++;
        item.keys = copy<int64_t>(from.keys);
        item.picks = copy<uint32_t>(from.picks);
        if (from.blob != UINT32_MAX) item.blob = blob_ids.at(from.blob);
    }
    push.state = push.send_at > clock_.unix_ms() ? BELFRY_PUSH_DELAYED : BELFRY_PUSH_RUNNING;
    uids_[{push.app, push.uid}] = id;
    return id;
}

belfry_code MemoryQueue::enqueue(belfry_instance* i, uint64_t, belfry_list rows, belfry_emit emit, void* ctx,
                                 belfry_why* why) {
    MemoryQueue& me = self(i);
    const std::lock_guard lock(me.mutex_);
    ++me.enqueue_calls_;
    if (me.failing_enqueues > 0 && me.failing_enqueues-- > 0)
        return because(why, BELFRY_RETRY_LATER, {}, "the test lets it fail");
    std::vector<uint64_t> bundled;
    for (uint32_t n = 0; n < rows.n; ++n) {
        const belfry_new_push& row = Rows<belfry_new_push>(rows)[n];
        belfry_enqueued answer = sized<belfry_enqueued>();
        answer.index = n;
        const auto known = me.uids_.find({text(row.app), text(row.uid)});
        if (me.busy) {
            answer.code = BELFRY_BUSY;
        } else if (known != me.uids_.end()) {
            const Push& push = me.pushes_.at(known->second);
            const bool same = std::memcmp(push.fingerprint, row.fingerprint, sizeof push.fingerprint) == 0;
            answer.code = same ? BELFRY_DUPLICATE : BELFRY_CONFLICT;
            answer.state = push.state;
        } else {
            const uint64_t id = me.store(row);
            if ((row.flags & BELFRY_NEW_PUSH_SMALL) != 0) bundled.push_back(id);
        }
        emit(ctx, one_row(answer));
    }
    if (bundled.size() < 2) return BELFRY_OK;
    Item bundle;  // the members' own items go into it
    bundle.kind = BELFRY_WORK_BUNDLE;
    bundle.lane = BELFRY_LANE_HIGH;
    bundle.members = bundled;
    bundle.order = me.next_order_++;
    bundle.ready = me.clock_.unix_ms();
    me.items_[me.next_id_++] = bundle;
    for (auto at = me.items_.begin(); at != me.items_.end();) {
        Item& item = at->second;
        const bool member = item.push != 0 && std::find(bundled.begin(), bundled.end(), item.push) != bundled.end();
        if (member) {  // kept beside the bundle for its entries
            item.kind = 0;
        }
        ++at;
    }
    return BELFRY_OK;
}

void MemoryQueue::emit_claimed(uint64_t id, Item& item, belfry_emit emit, void* ctx) {
    belfry_claimed row = sized<belfry_claimed>();
    row.kind = item.kind;
    row.lane = item.lane;
    row.gate = item.gate;
    row.epoch = item.epoch;
    row.attempt = item.attempt;
    row.item = id;
    row.ready_unix_ms = item.ready;
    std::vector<belfry_member> members;
    if (item.kind == BELFRY_WORK_BUNDLE) {
        for (uint32_t n = 0; n < item.members.size(); ++n) {
            const Push& push = pushes_.at(item.members[n]);
            belfry_member member = sized<belfry_member>();
            member.index = n;
            if (stops(push.state)) member.flags = BELFRY_MEMBER_STOPPED;
            member.attempt = 1;
            member.app = str(std::string_view(push.app));
            member.uid = str(std::string_view(push.uid));
            member.body = str(std::string_view(push.body));
            member.expires_unix_ms = push.expires;
            for (const auto& [other_id, other] : items_) {
                if (other.kind != 0 || other.push != item.members[n]) continue;
                member.keys = list_of(other.keys);
                member.picks = list_of(other.picks);
                if (other.blob != 0) member.blob = str(std::string_view(blobs_.at(other.blob)));
            }
            members.push_back(member);
        }
        row.members = list_of(members);
        emit(ctx, one_row(row));
        return;
    }
    const Push& push = pushes_.at(item.push);
    if (item.initial) row.flags |= BELFRY_CLAIMED_INITIAL;
    if (stops(push.state)) row.flags |= BELFRY_CLAIMED_STOPPED;
    row.live_items = live_items(item.push);
    row.push = item.push;
    row.body = push.body_blob;
    row.blob = item.blob;
    row.app = str(std::string_view(push.app));
    row.uid = str(std::string_view(push.uid));
    row.state = push.state;
    row.after = item.after;
    row.hi = item.hi;
    row.keys = list_of(item.keys);
    row.picks = list_of(item.picks);
    row.expires_unix_ms = push.expires;
    row.created_unix_ms = push.created;
    emit(ctx, one_row(row));
}

belfry_code MemoryQueue::claim(belfry_instance* i, uint64_t node, int32_t lane, belfry_list gates, uint32_t n, uint32_t,
                               belfry_emit emit, void* ctx, belfry_why*) {
    MemoryQueue& me = self(i);
    const std::lock_guard lock(me.mutex_);
    const std::vector<uint32_t> open = copy<uint32_t>(gates);
    const int64_t now = me.clock_.unix_ms();
    int64_t& lane_time = me.virtual_time_[lane];
    std::vector<std::tuple<int64_t, int64_t, uint64_t>> ready;
    for (const auto& [id, item] : me.items_) {
        if (item.kind == 0 || item.owner != 0 || item.parked || item.lane != lane) continue;
        const bool stopped = item.push != 0 && stops(me.pushes_.at(item.push).state);
        if (item.due > now && !stopped) continue;
        if (item.gate != 0 && !stopped && std::find(open.begin(), open.end(), item.gate) == open.end()) continue;
        ready.push_back({me.fair ? std::max(item.vt, lane_time) : 0, item.order, id});
    }
    std::sort(ready.begin(), ready.end());
    for (size_t at = 0; at < ready.size() && at < n; ++at) {
        Item& item = me.items_.at(std::get<2>(ready[at]));
        item.vt = std::get<0>(ready[at]);
        lane_time = std::max(lane_time, item.vt);
        item.owner = node;
        item.epoch = me.next_epoch_++;
        me.emit_claimed(std::get<2>(ready[at]), item, emit, ctx);
    }
    return BELFRY_OK;
}

belfry_code MemoryQueue::blobs(belfry_instance* i, belfry_list ids, belfry_emit emit, void* ctx, belfry_why*) {
    MemoryQueue& me = self(i);
    const std::lock_guard lock(me.mutex_);
    for (uint32_t n = 0; n < ids.n; ++n) {
        const auto at = me.blobs_.find(Rows<uint64_t>(ids)[n]);
        if (at == me.blobs_.end()) continue;
        belfry_blob row = sized<belfry_blob>();
        row.index = n;
        row.id = at->first;
        row.bytes = str(std::string_view(at->second));
        emit(ctx, one_row(row));
    }
    return BELFRY_OK;
}

void MemoryQueue::apply_owed(const Item& item, const belfry_owed& owed, uint32_t index, uint64_t node,
                             std::vector<belfry_ref>& mine) {
    if (item.kind != BELFRY_WORK_BUNDLE && owed.member != 0) fault("a member of an item that is no bundle");
    Push& push = push_of(item, owed.member);
    const size_t entries = size_t{owed.keys.n} + owed.picks.n;
    if (entries == 0 || entries > 1'000) fault("an owed list of " + std::to_string(entries) + " entries");
    const bool is_dead = (owed.flags & BELFRY_OWED_DEAD) != 0;
    const uint64_t id = next_id_++;
    if (is_dead) push.dead_entries += static_cast<uint32_t>(entries);
    Item& list = is_dead ? dead_[id].item : items_[id];
    list.kind = BELFRY_WORK_LIST;
    list.lane = push.lane;
    list.gate = owed.gate;
    list.attempt = owed.attempt;
    list.initial = false;
    list.due = owed.due_unix_ms;
    list.ready = clock_.unix_ms();
    list.order = next_order_++;
    list.push = item.kind == BELFRY_WORK_BUNDLE ? item.members.at(owed.member) : item.push;
    list.keys = copy<int64_t>(owed.keys);
    list.picks = copy<uint32_t>(owed.picks);
    if (owed.picks.n > 0) {
        list.blob = owed.blob != 0 ? owed.blob : item.blob;
        if (item.kind == BELFRY_WORK_BUNDLE) {
            for (const auto& [other_id, other] : items_) {
                if (other.kind == 0 && other.push == list.push) list.blob = other.blob;
            }
        }
        if (blobs_.count(list.blob) == 0) fault("picks of an unknown blob");
    }
    if (is_dead) {
        dead_[id].note = text(owed.note);
        dead_[id].attempt = owed.attempt;
        dead_[id].buried = clock_.unix_ms();
        return;
    }
    list.parked = push.state == BELFRY_PUSH_PAUSED;
    if ((owed.flags & BELFRY_OWED_MINE) != 0) {
        list.parked = false;
        list.owner = node;
        list.epoch = next_epoch_++;
        mine.push_back({id, list.epoch, index});
    }
}

belfry_code MemoryQueue::apply(uint64_t node, const belfry_checkpoint& checkpoint, std::vector<belfry_ref>& mine) {
    const auto at = items_.find(checkpoint.item);
    if (at == items_.end() || at->second.owner != node || at->second.epoch != checkpoint.epoch) {
        ++stale_pages_;
        return BELFRY_FENCED;
    }
    Item item = at->second;
    for (const belfry_tally& tally : Rows<belfry_tally>(checkpoint.tallies)) {
        push_of(item, tally.member).tallies[{tally.gate, tally.outcome}] += tally.n;
    }
    for (const belfry_sample& sample : Rows<belfry_sample>(checkpoint.samples)) {
        Push& push = push_of(item, sample.member);
        if (push.samples.size() < 5) push.samples.push_back(text(sample.text));
    }
    if (item.kind == BELFRY_WORK_BUNDLE) {
        for (const belfry_tally& planned : Rows<belfry_tally>(checkpoint.planned_of))
            push_of(item, planned.member).planned += planned.n;
    } else {
        Push& push = pushes_.at(item.push);
        push.planned += checkpoint.planned;
        if (checkpoint.planned > 0 && !item.initial) fault("planned twice");
        if (checkpoint.lane != 0) push.lane = checkpoint.lane;
    }
    uint32_t index = 0;
    for (const belfry_owed& owed : Rows<belfry_owed>(checkpoint.owed)) apply_owed(item, owed, index++, node, mine);
    const uint32_t live = item.push == 0 ? 1 : live_items(item.push) + (checkpoint.split_at != 0 ? 1 : 0);
    item.vt += int64_t{checkpoint.cost} * live;
    at->second.vt = item.vt;
    if (checkpoint.split_at != 0) {
        if (checkpoint.split_at <= checkpoint.cursor || checkpoint.split_hi != item.hi)
            fault("a split outside of the range");
        Item& sibling = items_[next_id_++];
        sibling = item;
        sibling.owner = 0;
        sibling.after = checkpoint.split_at - 1;
        sibling.hi = checkpoint.split_hi;
        sibling.gate = checkpoint.split_gate;
        sibling.order = next_order_++;
        sibling.parked = pushes_.at(item.push).state == BELFRY_PUSH_PAUSED;
    }
    if (checkpoint.next == BELFRY_NEXT_FINISH) {
        items_.erase(checkpoint.item);
    } else {
        Item& kept = items_.at(checkpoint.item);
        if (item.kind == BELFRY_WORK_SLICE) {
            if (checkpoint.cursor < item.after || checkpoint.cursor >= item.hi) fault("a cursor outside of the range");
            kept.after = checkpoint.cursor;
            if (checkpoint.split_at != 0) kept.hi = checkpoint.split_at;
        }
        const int32_t state = item.push == 0 ? BELFRY_PUSH_RUNNING : pushes_.at(item.push).state;
        if (checkpoint.next != BELFRY_NEXT_KEEP || state != BELFRY_PUSH_RUNNING) kept.owner = 0;
        kept.order = next_order_++;
        kept.lane = checkpoint.lane != 0 ? checkpoint.lane : kept.lane;
        if (item.push != 0 && pushes_.at(item.push).state == BELFRY_PUSH_PAUSED) kept.parked = true;
    }
    if (item.push == 0) {
        for (const uint64_t member : item.members) {
            for (auto other = items_.begin(); other != items_.end();) {
                const bool own =
                    checkpoint.next == BELFRY_NEXT_FINISH && other->second.kind == 0 && other->second.push == member;
                other = own ? items_.erase(other) : std::next(other);
            }
            close_if_done(member);
        }
        return BELFRY_OK;
    }
    Push& push = pushes_.at(item.push);
    push.most_live_items = std::max(push.most_live_items, live_items(item.push));
    const int32_t before = push.state;
    close_if_done(item.push);
    return stops(before) ? BELFRY_STOPPED : before == BELFRY_PUSH_PAUSED ? BELFRY_PAUSED : BELFRY_OK;
}

belfry_code MemoryQueue::page(belfry_instance* i, uint64_t node, belfry_list rows, belfry_emit emit, void* ctx,
                              belfry_why* why) {
    MemoryQueue& me = self(i);
    const std::lock_guard lock(me.mutex_);
    ++me.page_calls_;
    if (me.failing_pages > 0 && me.failing_pages-- > 0)
        return because(why, BELFRY_RETRY_LATER, {}, "the test lets it fail");
    for (const belfry_checkpoint& checkpoint : Rows<belfry_checkpoint>(rows)) {
        const auto item = me.items_.find(checkpoint.item);
        if (!me.damaged_uid.empty() && item != me.items_.end() && me.push_of(item->second, 0).uid == me.damaged_uid)
            return because(why, BELFRY_CORRUPT, {}, "a row of the queue is damaged");
    }
    for (uint32_t n = 0; n < rows.n; ++n) {
        const belfry_checkpoint& checkpoint = Rows<belfry_checkpoint>(rows)[n];
        std::vector<belfry_ref> mine;
        belfry_paged answer = sized<belfry_paged>();
        answer.index = n;
        answer.code = me.apply(node, checkpoint, mine);
        answer.mine = list_of(mine);
        emit(ctx, one_row(answer));
    }
    return BELFRY_OK;
}

belfry_code MemoryQueue::steer(belfry_instance* i, belfry_str app, belfry_list uids, int32_t verb, belfry_emit emit,
                               void* ctx, belfry_why*) {
    MemoryQueue& me = self(i);
    const std::lock_guard lock(me.mutex_);
    for (uint32_t n = 0; n < uids.n; ++n) {
        belfry_steered row = sized<belfry_steered>();
        row.index = n;
        const auto known = me.uids_.find({text(app), text(Rows<belfry_str>(uids)[n])});
        if (known == me.uids_.end()) {
            row.code = BELFRY_NOT_FOUND;
            emit(ctx, one_row(row));
            continue;
        }
        Push& push = me.pushes_.at(known->second);
        row.state = push.state;
        const int32_t wanted = verb == BELFRY_STEER_CANCEL  ? BELFRY_PUSH_CANCELLED
                               : verb == BELFRY_STEER_PAUSE ? BELFRY_PUSH_PAUSED
                                                            : BELFRY_PUSH_RUNNING;
        if (final_state(push.state) || push.state == wanted) {
            row.code = BELFRY_DUPLICATE;
        } else {
            push.state = wanted;
            for (auto& [id, item] : me.items_) {
                if (item.push == known->second && item.owner == 0) item.parked = wanted == BELFRY_PUSH_PAUSED;
            }
            me.changes_.push_back({static_cast<int64_t>(me.changes_.size() + 1), known->second});
            me.close_if_done(known->second);
        }
        emit(ctx, one_row(row));
    }
    return BELFRY_OK;
}

belfry_code MemoryQueue::changes(belfry_instance* i, int64_t since, belfry_emit emit, void* ctx, belfry_why*) {
    MemoryQueue& me = self(i);
    const std::lock_guard lock(me.mutex_);
    for (const auto& [number, id] : me.changes_) {
        if (number <= since) continue;
        const Push& push = me.pushes_.at(id);
        belfry_change row = sized<belfry_change>();
        row.number = number;
        row.state = push.state;
        row.push = id;
        row.app = str(std::string_view(push.app));
        row.uid = str(std::string_view(push.uid));
        emit(ctx, one_row(row));
    }
    return BELFRY_OK;
}

belfry_code MemoryQueue::beat(belfry_instance* i, uint64_t, belfry_pulse* pulse, belfry_why*) {
    MemoryQueue& me = self(i);
    const std::lock_guard lock(me.mutex_);
    pulse->live_nodes = 1;
    pulse->store_unix_ms = me.clock_.unix_ms();
    pulse->changes = static_cast<int64_t>(me.changes_.size());
    return BELFRY_OK;
}

belfry_code MemoryQueue::upkeep(belfry_instance* i, uint64_t, uint32_t, uint32_t* next_ms, belfry_why*) {
    MemoryQueue& me = self(i);
    const std::lock_guard lock(me.mutex_);
    for (auto& [id, push] : me.pushes_) {
        if (push.state == BELFRY_PUSH_DELAYED && push.send_at <= me.clock_.unix_ms()) push.state = BELFRY_PUSH_RUNNING;
        if (push.expires != 0 && push.expires <= me.clock_.unix_ms() && !final_state(push.state)) {
            push.state = BELFRY_PUSH_EXPIRED;
            me.changes_.push_back({static_cast<int64_t>(me.changes_.size() + 1), id});
        }
    }
    *next_ms = 5;
    return BELFRY_OK;
}

uint32_t MemoryQueue::live_items(uint64_t push) const {
    return static_cast<uint32_t>(
        std::count_if(items_.begin(), items_.end(), [&](const auto& entry) { return entry.second.push == push; }));
}

void MemoryQueue::close_if_done(uint64_t id) {
    Push& push = pushes_.at(id);
    if (live_items(id) > 0) return;
    push.finished = clock_.unix_ms();
    if (!final_state(push.state)) push.state = BELFRY_PUSH_DONE;
}

void MemoryQueue::reap() {
    const std::lock_guard lock(mutex_);
    for (auto& [id, item] : items_) {
        if (item.owner == 0) continue;
        item.owner = 0;
        item.epoch = next_epoch_++;
    }
}

void MemoryQueue::expire(const std::string& uid) {
    const std::lock_guard lock(mutex_);
    for (auto& [id, push] : pushes_) {
        if (push.uid != uid || final_state(push.state)) continue;
        push.state = BELFRY_PUSH_EXPIRED;
        changes_.push_back({static_cast<int64_t>(changes_.size() + 1), id});
    }
}

void MemoryQueue::make_due() {
    const std::lock_guard lock(mutex_);
    for (auto& [id, item] : items_) item.due = 0;
}

}  // namespace belfry::fakes
