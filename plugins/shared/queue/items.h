// SPDX-License-Identifier: Apache-2.0
// What a queue makes of the items of the ABI, and the other way round. `Item`: the queue's own struct, which has the
// fields named here and keeps more beside them.
//
// Threads: [any]; values.
#pragma once

#include <belfry/queue.h>
#include <belfry/abi.hpp>

#include <algorithm>
#include <cstdint>
#include <string>

#include "queue/packing.h"
#include "queue/work.h"

namespace belfry::queue_parts {

// An item as it comes with its push. `blob`: the id of the token blob that it picks from, if it does.
template <class Item>
Item item_of(const belfry_new_item& wanted, int64_t blob) {
    Item item;
    item.kind = wanted.kind;
    item.gate = wanted.gate;
    item.flags = kInitial;
    if (wanted.kind == BELFRY_WORK_SLICE) {
        item.after = wanted.after;
        item.hi = wanted.hi;
    } else if (blob != 0) {
        item.flags |= kPicks;
        item.blob = blob;
    }
    return item;
}
inline bool has_picks(const belfry_new_item& wanted) {
    return wanted.kind != BELFRY_WORK_SLICE && wanted.blob != UINT32_MAX;
}
// Its entries; empty for a slice.
inline std::string content_of(const belfry_new_item& wanted) {
    if (wanted.kind == BELFRY_WORK_SLICE) return {};
    return has_picks(wanted) ? entry_bytes(wanted.picks, sizeof(uint32_t)) : entry_bytes(wanted.keys, sizeof(int64_t));
}

// A list that a page owes. `blob`: the id of the token blob that it picks from, if it does.
template <class Item>
Item owed_item(const belfry_owed& owed, int64_t blob) {
    const bool picks = owed.picks.n > 0;
    Item item;
    item.kind = BELFRY_WORK_LIST;
    item.gate = owed.gate;
    item.attempt = owed.attempt;
    item.flags = picks ? uint32_t{kPicks} : 0;
    if ((owed.flags & BELFRY_OWED_LIMITS_PASSED) != 0) item.flags |= kLimitsPassed;
    item.blob = picks ? blob : 0;
    return item;
}
inline std::string content_of(const belfry_owed& owed) {
    return owed.picks.n > 0 ? entry_bytes(owed.picks, sizeof(uint32_t)) : entry_bytes(owed.keys, sizeof(int64_t));
}

// The part of a slice from checkpoint.split_at on, behind a gate of its own; `item` keeps what is before.
template <class Item>
Item cut_off(Item& item, const belfry_checkpoint& checkpoint) {
    Item sibling;
    sibling.kind = BELFRY_WORK_SLICE;
    sibling.gate = checkpoint.split_gate;
    sibling.flags = item.flags;
    sibling.attempt = item.attempt;
    sibling.vt = item.vt;
    sibling.after = checkpoint.split_at - 1;
    sibling.hi = item.hi;
    item.hi = checkpoint.split_at;
    return sibling;
}

// What a claim says of the item itself.
template <class Item>
belfry_claimed claimed_of(const Item& item) {
    auto row = sized<belfry_claimed>();
    row.kind = item.kind;
    row.lane = item.lane;
    row.gate = item.gate;
    row.epoch = item.epoch;
    row.attempt = item.attempt;
    row.crashes = item.crashes;
    if ((item.flags & kLimitsPassed) != 0) row.flags |= BELFRY_CLAIMED_LIMITS_PASSED;
    if ((item.flags & kInitial) != 0) row.flags |= BELFRY_CLAIMED_INITIAL;
    row.item = static_cast<uint64_t>(item.id);
    row.after = item.after;
    row.hi = item.hi;
    row.ready_unix_ms = item.ready_unix_ms;
    return row;
}

}  // namespace belfry::queue_parts
