// SPDX-License-Identifier: Apache-2.0
#include "board.h"

#include <algorithm>

namespace belfry::queue_sqlite {

namespace {

// A shelf is refilled when this fraction of its bound is left.
constexpr size_t kLowWaterDivisor = 8;

}  // namespace

Board::Shelf& Board::shelf_of(const Item& item) {
    Lane& lane = lanes_[item.lane];
    return item.stopped ? lane.stopped : lane.shelves[item.gate];
}

bool Board::is_starved(const Shelf& shelf) const noexcept {
    return shelf.spilled && shelf.items.size() < std::max<size_t>(1, bounds_.shelf_items / kLowWaterDivisor);
}

std::vector<Board::Shelf*> Board::open_shelves(Lane& lane, std::span<const uint32_t> gates) {
    std::vector<Shelf*> open{&lane.stopped};
    const auto add = [&](uint32_t gate) {
        const auto found = lane.shelves.find(gate);
        if (found != lane.shelves.end() && std::find(open.begin(), open.end(), &found->second) == open.end()) {
            open.push_back(&found->second);
        }
    };
    add(0);
    for (const uint32_t gate : gates) add(gate);
    return open;
}

Claim Board::claim(uint64_t node, int32_t lane_number, std::span<const uint32_t> gates, uint32_t n,
                   int64_t now_unix_ms) {
    const std::lock_guard lock(mutex_);
    Claim answer;
    answer.version = version_;
    Lane& lane = lanes_[lane_number];
    const std::vector<Shelf*> open = open_shelves(lane, gates);
    for (const auto& [gate, shelf] : lane.shelves) {
        if (is_starved(shelf) && std::find(open.begin(), open.end(), &shelf) != open.end()) {
            answer.starved = ShelfKey{lane_number, gate};
            return answer;
        }
    }
    while (answer.grants.size() < n) {
        Item* first = nullptr;
        for (const Shelf* shelf : open) {
            if (shelf->items.empty()) continue;
            Item* candidate = *shelf->items.begin();
            if (first == nullptr || Order{}(candidate, first)) first = candidate;
        }
        if (first == nullptr) break;
        take_off(*first);
        // An item that waited behind a closed gate is served now, without arrears: see the opener.
        first->vt = std::max(first->vt, lane.vt);
        lane.vt = first->vt;
        mark_held(*first, node, now_unix_ms);
        answer.grants.push_back(*first);
    }
    return answer;
}

void Board::wait(uint64_t version, std::chrono::steady_clock::time_point until) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, until, [&] { return version_ != version; });
}

void Board::publish(std::span<Item* const> items) {
    if (items.empty()) return;
    {
        const std::lock_guard lock(mutex_);
        for (Item* item : items) {
            let_go(*item);
            put(*item);
        }
        ++version_;
    }
    changed_.notify_all();
}

bool Board::withdraw(Item& item) {
    const std::lock_guard lock(mutex_);
    if (item.place != Place::Shelf) return false;
    take_off(item);
    item.place = Place::Off;
    return true;
}

void Board::hold(Item& item, uint64_t node, int64_t now_unix_ms) {
    const std::lock_guard lock(mutex_);
    const uint32_t epoch = item.epoch;
    mark_held(item, node, now_unix_ms);
    // Its owner was told the epoch before the commit that made the item.
    if (epoch != 0) item.epoch = epoch;
}

void Board::discard(Item& item) {
    const std::lock_guard lock(mutex_);
    if (item.place == Place::Shelf) take_off(item);
    let_go(item);
    item.place = Place::Off;
}

bool Board::is_held(const Item& item) {
    const std::lock_guard lock(mutex_);
    return item.place == Place::Held;
}

std::vector<Item*> Board::held_by(uint64_t node) {
    const std::lock_guard lock(mutex_);
    std::vector<Item*> items;
    for (Item* item : held_) {
        if (item->node == node) items.push_back(item);
    }
    return items;
}

bool Board::has_room(ShelfKey key) {
    const std::lock_guard lock(mutex_);
    const Shelf& shelf = lanes_[key.lane].shelves[key.gate];
    return !shelf.spilled && shelf.items.size() < bounds_.shelf_items;
}

void Board::spill(ShelfKey key, int64_t item) {
    {
        const std::lock_guard lock(mutex_);
        Shelf& shelf = lanes_[key.lane].shelves[key.gate];
        shelf.fetched_to = shelf.spilled ? std::min(shelf.fetched_to, item - 1) : item - 1;
        shelf.spilled = true;
        ++version_;
    }
    changed_.notify_all();
}

Board::Fetch Board::next_fetch(ShelfKey key) {
    const std::lock_guard lock(mutex_);
    const Shelf& shelf = lanes_[key.lane].shelves[key.gate];
    if (!is_starved(shelf)) return {};
    return {shelf.fetched_to, bounds_.shelf_items - shelf.items.size()};
}

void Board::fetched(ShelfKey key, int64_t last_item, bool more) {
    const std::lock_guard lock(mutex_);
    Shelf& shelf = lanes_[key.lane].shelves[key.gate];
    shelf.fetched_to = last_item;
    shelf.spilled = more;
}

uint32_t Board::next_epoch() {
    const std::lock_guard lock(mutex_);
    return ++epoch_;
}

int64_t Board::virtual_time(int32_t lane) {
    const std::lock_guard lock(mutex_);
    return lanes_[lane].vt;
}

void Board::set_virtual_time(int32_t lane, int64_t vt) {
    const std::lock_guard lock(mutex_);
    lanes_[lane].vt = vt;
}

int64_t Board::held_count(int32_t lane) {
    const std::lock_guard lock(mutex_);
    return lanes_[lane].held;
}

int64_t Board::oldest_ready(int32_t lane_number) {
    const std::lock_guard lock(mutex_);
    const Lane& lane = lanes_[lane_number];
    int64_t oldest = 0;
    const auto look = [&](const Shelf& shelf) {
        for (const Item* item : shelf.items) {
            if (oldest == 0 || item->ready_unix_ms < oldest) oldest = item->ready_unix_ms;
        }
    };
    look(lane.stopped);
    for (const auto& [gate, shelf] : lane.shelves) look(shelf);
    return oldest;
}

void Board::put(Item& item) {
    item.vt = std::max(item.vt, lanes_[item.lane].vt);
    if (item.content != nullptr) {
        if (content_bytes_ + item.content->size() > bounds_.content_bytes) {
            item.content.reset();
        } else {
            content_bytes_ += item.content->size();
        }
    }
    item.place = Place::Shelf;
    shelf_of(item).items.insert(&item);
}

void Board::take_off(Item& item) {
    shelf_of(item).items.erase(&item);
    if (item.content != nullptr) content_bytes_ -= item.content->size();
}

void Board::let_go(Item& item) {
    if (item.place != Place::Held) return;
    held_.erase(&item);
    --lanes_[item.held_lane].held;
    ledger_.release(item.slot);
}

void Board::mark_held(Item& item, uint64_t node, int64_t now_unix_ms) {
    item.place = Place::Held;
    item.node = node;
    item.epoch = ++epoch_;
    item.claimed_unix_ms = now_unix_ms;
    item.slot = ledger_.hold(item.id);
    held_.insert(&item);
    item.held_lane = item.lane;
    ++lanes_[item.lane].held;
}

}  // namespace belfry::queue_sqlite
