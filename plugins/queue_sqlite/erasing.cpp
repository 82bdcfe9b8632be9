// SPDX-License-Identifier: Apache-2.0
// Transitions that leave nothing behind: purging an app.
#include "movements.h"

namespace belfry::queue_sqlite {

namespace {

constexpr size_t kRowsPerRead = 250;

}  // namespace

std::set<int64_t> Movements::erase_work(Push& push) {
    Book& book = core_.book;
    const int64_t id = push.facts->id;
    std::set<int64_t> blobs;
    for (const ItemTable::Found& found : core_.tables.items.of_push(id)) {
        Item* item = book.find(found.item.id);
        if (item != nullptr) book.edit(*item);
        if (is_parked(found, item)) --book.totals.parked[found.item.lane];
        --book.totals.items[found.item.lane];
        if (item != nullptr) book.set_fate(*item, Fate::Forget);
        core_.tables.items.erase(found.item.id);
        blobs.insert(found.item.blob);
    }
    for (std::vector<Later> rows = core_.tables.laters.of_push(id, kRowsPerRead); !rows.empty();
         rows = core_.tables.laters.of_push(id, kRowsPerRead)) {
        for (const Later& row : rows) {
            core_.tables.laters.erase(row.item.id);
            --book.totals.delayed;
            blobs.insert(row.item.blob);
        }
    }
    return blobs;
}

std::set<int64_t> Movements::erase_letters(const Push& push) {
    const int64_t id = push.facts->id;
    std::set<int64_t> blobs;
    for (std::vector<DeadRow> rows = core_.tables.dead.of_app(push.facts->app, id, 0, kRowsPerRead); !rows.empty();
         rows = core_.tables.dead.of_app(push.facts->app, id, 0, kRowsPerRead)) {
        for (const DeadRow& row : rows) {
            core_.tables.dead.erase(row.item.id);
            if (row.replayed_unix_ms == 0) --core_.book.totals.dead;
            blobs.insert(row.item.blob);
        }
    }
    return blobs;
}

void Movements::erase(Push& push) {
    Book& book = core_.book;
    const PushFacts& facts = *push.facts;
    book.edit(push);
    std::set<int64_t> blobs = erase_work(push);
    blobs.merge(erase_letters(push));
    blobs.erase(0);
    for (const int64_t blob : blobs) core_.tables.blobs.erase_if_unused(blob);
    if (push.body != 0) core_.tables.blobs.erase(push.body);
    core_.uids.remove(facts.app, facts.uid, {facts.id, -1});
    core_.tables.pushes.erase(facts.id);
    if (push.finished_unix_ms == 0) {
        --(push.state == BELFRY_PUSH_DELAYED ? book.totals.delayed_pushes : book.totals.running_pushes);
        core_.changes.add(facts.id, BELFRY_PUSH_CANCELLED, facts.app_name, facts.uid);
    }
    // There is nothing to close at the end of the turn.
    push.live_items = 0;
    push.finished_unix_ms = core_.now();
    push.erased = true;
}

bool Movements::is_erased(const MemberResult& result) {
    return result.moved_to != 0 && core_.book.push(result.moved_to) == nullptr;
}

void Movements::erase_members(BundleRow& row, uint32_t app) {
    for (size_t i = 0; i < row.results.size(); ++i) {
        MemberResult& result = row.results[i];
        if (result.app != app || result.moved_to == kErased) continue;
        core_.uids.remove(app, result.uid, {row.id, static_cast<int32_t>(i)});
        if (result.moved_to == 0 && result.finished_unix_ms == 0) {
            --core_.book.totals.running_pushes;
            core_.changes.add(0, BELFRY_PUSH_CANCELLED, core_.book.app_name(app), result.uid);
        }
        result = {};
        result.app = app;
        result.moved_to = kErased;
    }
    core_.book.edit_bundle(row);
    note_marks(row);
}

}  // namespace belfry::queue_sqlite
