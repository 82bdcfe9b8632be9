// SPDX-License-Identifier: Apache-2.0
#include "movements.h"

#include <belfry/queue.h>

#include <algorithm>

namespace belfry::queue_sqlite {

uint32_t entries_of(const Item& item, size_t content_bytes) noexcept {
    return queue_parts::entries_of(item.kind, item.flags, content_bytes);
}

void Movements::place(Push& push, Item item, std::string content, int64_t due_unix_ms) {
    const int64_t now = core_.now();
    item.id = core_.book.next_id();
    item.push = push.facts->id;
    item.lane = push.lane;
    if ((item.flags & kInitial) != 0) {
        core_.book.edit_counters(push);
        ++push.undiscovered;
    }
    if (due_unix_ms > now && !is_stopped(push.state)) {
        core_.tables.laters.insert({item, due_unix_ms, std::move(content)});
        ++core_.book.totals.delayed;
        return;
    }
    item.ready_unix_ms = now;
    shelve(push, std::move(item), std::move(content));
}

void Movements::shelve(Push& push, Item item, std::string content) {
    const bool parked = push.state == BELFRY_PUSH_PAUSED;
    item.vt = std::max(item.vt, core_.board.virtual_time(item.lane));
    item.stopped = is_stopped(push.state);
    item.push_state = push.state;
    core_.tables.items.insert(item, parked, content);
    core_.book.edit(push);
    ++push.live_items;
    ++core_.book.totals.items[item.lane];
    if (parked) {
        ++core_.book.totals.parked[item.lane];
        return;
    }
    if (item.kind != BELFRY_WORK_SLICE) item.content = std::make_shared<const std::string>(std::move(content));
    core_.book.create(std::move(item), Fate::Publish);
}

MineRef Movements::place_held(Push& push, Item item, std::string content, uint64_t node) {
    item.id = core_.book.next_id();
    item.push = push.facts->id;
    item.lane = push.lane;
    item.vt = core_.board.virtual_time(item.lane);
    item.ready_unix_ms = core_.now();
    item.node = node;
    item.epoch = core_.board.next_epoch();
    core_.tables.items.insert(item, push.state == BELFRY_PUSH_PAUSED, content);
    core_.book.edit(push);
    ++push.live_items;
    ++core_.book.totals.items[item.lane];
    item.content = std::make_shared<const std::string>(std::move(content));
    const MineRef ref{item.id, item.epoch, 0};
    core_.book.create(std::move(item), Fate::Hold);
    return ref;
}

void Movements::remove(Item& item) {
    core_.tables.items.erase(item.id);
    --core_.book.totals.items[item.lane];
    core_.book.edit(item);
    core_.book.set_fate(item, Fate::Forget);
    if (item.push == 0) return;
    Push& push = *core_.book.push(item.push);
    core_.book.edit(push);
    --push.live_items;
    if ((item.flags & kInitial) != 0) {
        core_.book.edit_counters(push);
        --push.undiscovered;
    }
    if (item.blob != 0) core_.tables.blobs.erase_if_unused(item.blob);
}

void Movements::park(Item& item) {
    core_.book.edit(item);
    core_.tables.items.park(item.id, true);
    core_.book.set_fate(item, Fate::Forget);
    ++core_.book.totals.parked[item.lane];
}

void Movements::mark_discovered(Item& item) {
    if ((item.flags & kInitial) == 0) return;
    core_.book.edit(item).flags &= ~kInitial;
    core_.tables.items.update_flags(item.id, item.flags);
    if (item.push != 0) --core_.book.edit_counters(*core_.book.push(item.push)).undiscovered;
}

void Movements::remove_later(const Later& row) {
    core_.tables.laters.erase(row.item.id);
    --core_.book.totals.delayed;
    Push* push = core_.book.push(row.item.push);
    if (push == nullptr) return;
    core_.book.edit(*push);
    if ((row.item.flags & kInitial) != 0) {
        core_.book.edit_counters(*push);
        --push->undiscovered;
    }
}

// Whether a row counts as parked: held items of a paused push have the column set, but count as held.
bool Movements::is_parked(const ItemTable::Found& found, Item* resident) {
    if (!found.parked) return false;
    return resident == nullptr || core_.book.fate(*resident) == Fate::Forget;
}

void Movements::stop(Push& push, int32_t state) {
    Book& book = core_.book;
    const int64_t id = push.facts->id;
    book.edit_state(push);
    if (push.state == BELFRY_PUSH_DELAYED) {
        --book.totals.delayed_pushes;
        ++book.totals.running_pushes;
    }
    push.state = state;
    for (const int64_t blob : core_.tables.laters.erase_initial(id)) {
        book.edit_counters(push);
        --push.undiscovered;
        --book.totals.delayed;
        if (blob != 0) core_.tables.blobs.erase_if_unused(blob);
    }
    for (ItemTable::Found& found : core_.tables.items.of_push(id)) {
        Item* item = book.find(found.item.id);
        if (item != nullptr) book.edit(*item);
        if (is_parked(found, item)) --book.totals.parked[found.item.lane];
        if (item == nullptr) item = &book.adopt(std::move(found.item));
        if (book.fate(*item) == Fate::Forget) book.set_fate(*item, Fate::Publish);
        item->stopped = true;
        item->push_state = state;
    }
    core_.tables.items.park_push(id, false);
    if (core_.tables.laters.any_of_push(id)) core_.to_sweep.insert(id);
    core_.changes.add(id, state, push.facts->app_name, push.facts->uid);
}

void Movements::pause(Push& push) {
    Book& book = core_.book;
    const int64_t id = push.facts->id;
    book.edit_state(push);
    if (push.state == BELFRY_PUSH_DELAYED) {
        --book.totals.delayed_pushes;
        ++book.totals.running_pushes;
    }
    push.state = BELFRY_PUSH_PAUSED;
    for (const ItemTable::Found& found : core_.tables.items.of_push(id)) {
        if (found.parked) continue;
        Item* item = book.find(found.item.id);
        if (item != nullptr) {
            book.edit(*item);
            if (book.fate(*item) != Fate::Publish) continue;
            book.set_fate(*item, Fate::Forget);
        }
        ++book.totals.parked[found.item.lane];
    }
    core_.tables.items.park_push(id, true);
    core_.changes.add(id, push.state, push.facts->app_name, push.facts->uid);
}

void Movements::resume(Push& push) {
    Book& book = core_.book;
    const int64_t id = push.facts->id;
    const int64_t now = core_.now();
    book.edit_state(push);
    push.state = BELFRY_PUSH_RUNNING;
    if (push.live_items == 0 && push.facts->send_at_unix_ms > now) {
        push.state = BELFRY_PUSH_DELAYED;
        ++book.totals.delayed_pushes;
        --book.totals.running_pushes;
    }
    for (ItemTable::Found& found : core_.tables.items.of_push(id)) {
        if (!found.parked) continue;
        Item* item = book.find(found.item.id);
        if (item != nullptr) book.edit(*item);
        if (!is_parked(found, item)) continue;
        --book.totals.parked[found.item.lane];
        if (item == nullptr) item = &book.adopt(std::move(found.item));
        book.set_fate(*item, Fate::Publish);
        item->ready_unix_ms = now;
    }
    core_.tables.items.park_push(id, false);
    core_.changes.add(id, push.state, push.facts->app_name, push.facts->uid);
}

void Movements::change_lane(Push& push, int32_t lane) {
    if (lane == push.lane) return;
    Book& book = core_.book;
    const int64_t id = push.facts->id;
    const int64_t vt = core_.board.virtual_time(lane);
    for (const ItemTable::Found& found : core_.tables.items.of_push(id)) {
        Item* item = book.find(found.item.id);
        if (item != nullptr) {
            book.edit(*item);
            item->lane = lane;
            item->vt = vt;
        } else if (!found.parked) {
            core_.board.spill({lane, found.item.gate}, found.item.id);
        }
        if (is_parked(found, item)) {
            --book.totals.parked[push.lane];
            ++book.totals.parked[lane];
        }
        --book.totals.items[push.lane];
        ++book.totals.items[lane];
    }
    core_.tables.items.move_push(id, lane, vt);
    book.edit_state(push);
    push.lane = lane;
}

bool Movements::stopped_now(Push& push) {
    if (is_stopped(push.state)) return true;
    const int64_t expires = push.facts->expires_unix_ms;
    if (expires == 0 || expires > core_.now() || push.finished_unix_ms != 0) return false;
    stop(push, BELFRY_PUSH_EXPIRED);
    return true;
}

void Movements::bury(Push& push, const Item& work, std::string_view content, std::string_view note) {
    DeadRow dead;
    dead.item = work;
    dead.item.id = core_.book.next_id();
    dead.item.push = push.facts->id;
    dead.app = push.facts->app;
    dead.entries = entries_of(work, content.size());
    dead.buried_unix_ms = core_.now();
    dead.note = note;
    core_.tables.dead.insert(dead, content);
    core_.book.edit(push);
    ++core_.book.totals.dead;
}

bool Movements::replay(const DeadRow& dead, bool ignore_expiry) {
    Push* push = core_.book.push(dead.item.push);
    if (push == nullptr || push->state == BELFRY_PUSH_CANCELLED) return false;
    const int64_t now = core_.now();
    const int64_t expires = push->facts->expires_unix_ms;
    if (expires != 0 && expires <= now) {
        if (!ignore_expiry) return false;
        auto facts = std::make_shared<PushFacts>(*push->facts);
        facts->expires_unix_ms = 0;
        core_.book.replace_facts(*push, std::move(facts));
    }
    core_.book.edit_state(*push);
    if (push->finished_unix_ms != 0) {
        push->finished_unix_ms = 0;
        ++core_.book.totals.running_pushes;
    }
    if (push->state != BELFRY_PUSH_PAUSED) push->state = BELFRY_PUSH_RUNNING;
    core_.book.edit_counters(*push).counters.subtract(dead.item.gate, BELFRY_FINAL_DEAD, dead.entries);
    Item item = dead.item;
    item.attempt = 1;
    item.crashes = 0;
    // The entries of a list are part of planned since it was buried; what is left of a slice is not.
    if (item.kind == BELFRY_WORK_LIST) item.flags &= ~kInitial;
    place(*push, std::move(item), dead.content, 0);
    core_.tables.dead.mark_replayed(dead.item.id, now);
    --core_.book.totals.dead;
    return true;
}

}  // namespace belfry::queue_sqlite
