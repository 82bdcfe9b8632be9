// SPDX-License-Identifier: Apache-2.0
#include "book.h"

#include <belfry/queue.h>

#include <utility>

namespace belfry::queue_sqlite {

namespace {

// Ids are reserved in the file this many at a time.
constexpr int64_t kIdBlock = 1 << 16;
constexpr std::string_view kNextId = "next_id";

}  // namespace

void Book::load() {
    next_id_ = reserved_ids_ = std::max<int64_t>(1, tables_.counters.get(kNextId));
    app_names_ = tables_.apps.all();
    for (size_t i = 0; i < app_names_.size(); ++i) app_numbers_[app_names_[i]] = static_cast<uint32_t>(i + 1);
    totals = {};
    for (const ItemTable::Group& group : tables_.items.groups()) {
        totals.items[group.lane] += group.count;
        if (group.parked) totals.parked[group.lane] += group.count;
    }
    totals.delayed = tables_.laters.count();
    totals.dead = tables_.dead.count();
    for (const int32_t state : {BELFRY_PUSH_RUNNING, BELFRY_PUSH_PAUSED, BELFRY_PUSH_CANCELLED, BELFRY_PUSH_EXPIRED}) {
        totals.running_pushes += tables_.pushes.count_open(state);
    }
    totals.running_pushes += tables_.bundles.count_open_members();
    totals.delayed_pushes = tables_.pushes.count_open(BELFRY_PUSH_DELAYED);
}

int64_t Book::next_id() {
    if (next_id_ == reserved_ids_) {
        tables_.counters.set(kNextId, next_id_ + kIdBlock);
        reserved_ids_ = next_id_ + kIdBlock;
    }
    return next_id_++;
}

void Book::note_id(int64_t id) {
    if (id < next_id_) return;
    next_id_ = id + 1;
    if (next_id_ <= reserved_ids_) return;
    tables_.counters.set(kNextId, next_id_ + kIdBlock);
    reserved_ids_ = next_id_ + kIdBlock;
}

uint32_t Book::find_app(std::string_view name) const {
    const auto found = app_numbers_.find(name);
    return found == app_numbers_.end() ? 0 : found->second;
}

uint32_t Book::make_app(std::string_view name) {
    if (const uint32_t known = find_app(name)) return known;
    const auto number = static_cast<uint32_t>(app_names_.size() + 1);
    tables_.apps.insert(number, name);
    app_names_.emplace_back(name);
    app_numbers_.emplace(name, number);
    return number;
}

void Book::begin() {
    totals_before_ = totals;
    apps_before_ = app_names_.size();
}

void Book::flush(int64_t now_unix_ms) {
    for (auto& [id, turn] : push_turns_) {
        Push& push = *pushes_.at(id);
        close_if_done(push, now_unix_ms);
        if (turn.made) {
            tables_.pushes.insert(push);
            continue;
        }
        if (turn.state) tables_.pushes.update_state(push);
        if (turn.counters) tables_.pushes.update_counters(push);
    }
    for (const auto& [id, dirty] : dirty_bundles_) tables_.bundles.update(bundles_.at(id));
}

void Book::close_if_done(Push& push, int64_t now_unix_ms) {
    const int64_t id = push.facts->id;
    // A member of an unfinished bundle that became a push counts as undiscovered: its bundle may owe more.
    if (push.live_items != 0 || push.undiscovered != 0 || push.finished_unix_ms != 0) return;
    if (tables_.laters.any_of_push(id)) return;
    edit_state(push);
    if (push.state != BELFRY_PUSH_CANCELLED && push.state != BELFRY_PUSH_EXPIRED) push.state = BELFRY_PUSH_DONE;
    push.finished_unix_ms = now_unix_ms;
    --totals.running_pushes;
    if (push.body != 0 && !tables_.dead.any_unreplayed_of_push(id)) {
        tables_.blobs.erase(push.body);
        push.body = 0;
    }
}

void Book::publish(int64_t now_unix_ms) {
    std::vector<Item*> ready;
    std::vector<Item*> gone;
    for (auto& [item, turn] : item_turns_) {
        const bool fresh = !turn.before && !turn.adopted;
        switch (turn.fate) {
            case Fate::Publish: {
                const ShelfKey shelf{item->lane, item->gate};
                if (fresh && !item->stopped && !board_.has_room(shelf)) {
                    board_.spill(shelf, item->id);
                    gone.push_back(item);
                } else {
                    ready.push_back(item);
                }
                break;
            }
            case Fate::Hold:
                board_.hold(*item, item->node, now_unix_ms);
                break;
            case Fate::Forget:
                gone.push_back(item);
                break;
            case Fate::Stay:
                break;
        }
    }
    for (const auto& [id, turn] : push_turns_) {
        const Push& push = *pushes_.at(id);
        push.facts->live_items.store(push.live_items, std::memory_order_relaxed);
    }
    board_.publish(ready);
    for (Item* item : gone) leave(*item);
    end_turn();
}

void Book::rollback() {
    std::vector<Item*> back;
    for (auto& [item, turn] : item_turns_) {
        if (!turn.before) {
            leave(*item);
            continue;
        }
        const bool held = turn.before->place == Place::Held;
        *item = std::move(*turn.before);
        if (held) continue;
        item->place = Place::Off;
        back.push_back(item);
    }
    for (auto& [id, turn] : push_turns_) {
        Push& push = *pushes_.at(id);
        if (turn.made) {
            loaded_.push_back(id);
            continue;
        }
        const uint32_t resident = push.resident;
        push = std::move(*turn.before);
        push.resident = resident;
    }
    board_.publish(back);
    totals = totals_before_;
    while (app_names_.size() > apps_before_) {
        app_numbers_.erase(app_names_.back());
        app_names_.pop_back();
    }
    reserved_ids_ = next_id_;
    end_turn();
}

void Book::end_turn() {
    item_turns_.clear();
    for (const auto& [id, turn] : push_turns_) loaded_.push_back(id);
    push_turns_.clear();
    dirty_bundles_.clear();
    forget_loaded();
}

void Book::forget_loaded() {
    bundles_.clear();
    for (const int64_t id : loaded_) {
        const auto found = pushes_.find(id);
        if (found != pushes_.end() && found->second->resident == 0) pushes_.erase(found);
    }
    loaded_.clear();
}

Item* Book::find(int64_t id) {
    const auto found = items_.find(id);
    return found == items_.end() ? nullptr : found->second.get();
}

Item* Book::owned(int64_t id, uint32_t epoch, uint64_t node) {
    Item* item = find(id);
    if (item == nullptr || !board_.is_held(*item)) return nullptr;
    if (item->epoch != epoch || item->node != node) return nullptr;
    const auto turn = item_turns_.find(item);
    return turn == item_turns_.end() || turn->second.fate == Fate::Stay ? item : nullptr;
}

Item& Book::edit(Item& item) {
    const auto [turn, first] = item_turns_.try_emplace(&item);
    if (!first) return item;
    const bool was_on_shelf = board_.withdraw(item);
    turn->second.before = item;
    if (was_on_shelf) {
        turn->second.before->place = Place::Shelf;
    } else {
        turn->second.fate = Fate::Stay;
    }
    return item;
}

Fate Book::fate(Item& item) {
    return item_turns_.at(&item).fate;
}
void Book::set_fate(Item& item, Fate fate) {
    item_turns_.at(&item).fate = fate;
}
bool Book::is_held(const Item& item) {
    return board_.is_held(item);
}

Item& Book::create(Item item, Fate fate) {
    Item& made = fetch(std::move(item));
    item_turns_[&made].fate = fate;
    return made;
}

Item& Book::adopt(Item item) {
    Item& adopted = fetch(std::move(item));
    ItemTurn& turn = item_turns_[&adopted];
    turn.adopted = true;
    return adopted;
}

Item& Book::fetch(Item item) {
    // First what can fail, so that nothing half made stays behind.
    if (item.push != 0 && push(item.push) == nullptr) {
        throw sqlite::Failure(BELFRY_CORRUPT, "work item " + std::to_string(item.id) + " has no push");
    }
    auto owned = std::make_unique<Item>(std::move(item));
    Item& made = *owned;
    items_[made.id] = std::move(owned);
    join(made);
    return made;
}

void Book::join(Item& item) {
    if (item.push == 0) return;
    Push& owner = *push(item.push);
    item.facts = owner.facts;
    if (owner.resident++ == 0) ++live_pushes_[owner.facts->app];
}

void Book::leave(Item& item) {
    board_.discard(item);
    if (item.push != 0) {
        Push& owner = *pushes_.at(item.push);
        if (--owner.resident == 0) {
            const auto count = live_pushes_.find(owner.facts->app);
            if (--count->second == 0) live_pushes_.erase(count);
            loaded_.push_back(item.push);
        }
    }
    items_.erase(item.id);
}

Push* Book::push(int64_t id) {
    const auto found = pushes_.find(id);
    if (found != pushes_.end()) return found->second->erased ? nullptr : found->second.get();
    std::optional<Push> loaded = tables_.pushes.find(id);
    if (!loaded) return nullptr;
    loaded->live_items = tables_.items.count_of_push(id);
    loaded->facts->app_name = app_name(loaded->facts->app);
    loaded->facts->live_items = loaded->live_items;
    loaded_.push_back(id);
    return &put(std::move(*loaded));
}

Push& Book::put(Push push) {
    auto owned = std::make_unique<Push>(std::move(push));
    Push& made = *owned;
    pushes_[made.facts->id] = std::move(owned);
    return made;
}

Push& Book::create(Push push) {
    Push& made = put(std::move(push));
    push_turns_[made.facts->id].made = true;
    return made;
}

Book::PushTurn& Book::turn_of(Push& push) {
    const auto [turn, first] = push_turns_.try_emplace(push.facts->id);
    if (first) turn->second.before = push;
    return turn->second;
}

Push& Book::edit(Push& push) {
    turn_of(push);
    return push;
}

Push& Book::edit_counters(Push& push) {
    turn_of(push).counters = true;
    return push;
}

Push& Book::edit_state(Push& push) {
    turn_of(push).state = true;
    return push;
}

void Book::replace_facts(Push& push, std::shared_ptr<PushFacts> facts) {
    edit_state(push);
    push.facts = std::move(facts);
}

uint32_t Book::live_pushes(uint32_t app) const {
    const auto found = live_pushes_.find(app);
    return found == live_pushes_.end() ? 1 : found->second;
}

BundleRow* Book::bundle(int64_t id) {
    const auto found = bundles_.find(id);
    if (found != bundles_.end()) return &found->second;
    std::optional<BundleRow> row = tables_.bundles.find(id);
    return row ? &(bundles_[id] = std::move(*row)) : nullptr;
}

void Book::drop_bundle(int64_t id) {
    bundles_.erase(id);
    dirty_bundles_.erase(id);
}

}  // namespace belfry::queue_sqlite
