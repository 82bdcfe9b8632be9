// SPDX-License-Identifier: Apache-2.0
#include "moving.h"

#include <belfry/abi.hpp>
#include <utility>

#include "queue/record_rows.h"

namespace belfry::queue_sqlite {

namespace {

constexpr size_t kRowsPerRead = 250;

// Runs `fn` over rows, whose ids `id_of` tells, until the page is full.
template <class Row, class Id, class Fn>
bool add_rows(const std::vector<Row>& rows, DumpPage& page, int64_t& id, Id&& id_of, Fn&& fn) {
    for (const Row& row : rows) {
        if (page.is_full()) return true;
        fn(row);
        id = id_of(row);
    }
    return rows.size() == kRowsPerRead;
}

WorkRecord record_of(const Item& item, int64_t due_unix_ms, int64_t body, std::string_view content) {
    auto record = record_of_work<WorkRecord>(item, body, content);
    record.due_unix_ms = due_unix_ms;
    record.ready_unix_ms = item.ready_unix_ms;
    record.crashes = item.crashes;
    return record;
}

}  // namespace

std::string Moving::dump(std::string_view cursor, DumpPage& page) {
    DumpPlace place = DumpPlace::parse(cursor);
    for (;;) {
        while (dump_part(place, page)) {
            if (page.is_full()) return place.text();
        }
        if (!place.go_on()) return {};
    }
}

bool Moving::dump_part(DumpPlace& place, DumpPage& page) {
    switch (place.part) {
        case DumpPlace::Pushes:
            return dump_pushes(place.id, page);
        case DumpPlace::Blobs:
            return dump_blobs(place.id, page);
        case DumpPlace::Items:
            return dump_items(place.id, page);
        case DumpPlace::Laters:
            return dump_laters(place.id, page);
        case DumpPlace::Dead:
            return dump_dead(place.id, page);
        default:
            return dump_bundles(place.id, page);
    }
}

bool Moving::dump_pushes(int64_t& id, DumpPage& page) {
    const auto id_of = [](const Push& push) { return push.facts->id; };
    return add_rows(core_.tables.pushes.above(id, kRowsPerRead), page, id, id_of, [&](const Push& push) {
        const PushFacts& facts = *push.facts;
        const std::string body =
            push.body == 0 ? std::string() : core_.tables.blobs.find(push.body).value_or(std::string());
        PushRecord record;
        record.id = facts.id;
        record.body = push.body;
        record.created_unix_ms = facts.created_unix_ms;
        record.send_at_unix_ms = facts.send_at_unix_ms;
        record.expires_unix_ms = facts.expires_unix_ms;
        record.finished_unix_ms = push.finished_unix_ms;
        record.undiscovered = push.undiscovered;
        record.state = push.state;
        record.lane = push.lane;
        record.weight = facts.weight;
        record.fingerprint = facts.fingerprint;
        record.app = core_.book.app_name(facts.app);
        record.uid = facts.uid;
        record.counters = push.counters;
        record.body_bytes = body;
        page.add(record);
    });
}

bool Moving::dump_blobs(int64_t& id, DumpPage& page) {
    const auto itself = [](int64_t blob) { return blob; };
    return add_rows(core_.tables.blobs.above(id, kRowsPerRead), page, id, itself, [&](int64_t blob) {
        const int64_t owner = core_.tables.blobs.push_of(blob);
        const std::optional<Push> push = owner == 0 ? std::nullopt : core_.tables.pushes.find(owner);
        if (!push || push->body == 0) return;
        const std::string bytes = core_.tables.blobs.find(blob).value_or(std::string());
        page.add(BlobRecord{owner, blob - push->body, bytes});
    });
}

int64_t Moving::body_of(const Item& work) {
    const Push* push = work.blob == 0 ? nullptr : core_.book.push(work.push);
    return push == nullptr ? 0 : push->body;
}

bool Moving::dump_items(int64_t& id, DumpPage& page) {
    const auto id_of = [](const Item& item) { return item.id; };
    const bool more = add_rows(core_.tables.items.above(id, kRowsPerRead), page, id, id_of, [&](const Item& item) {
        page.add(record_of(item, 0, body_of(item), core_.tables.items.content(item.id)));
    });
    core_.book.forget_loaded();
    return more;
}

bool Moving::dump_laters(int64_t& id, DumpPage& page) {
    const auto id_of = [](const Later& later) { return later.item.id; };
    const bool more = add_rows(core_.tables.laters.above(id, kRowsPerRead), page, id, id_of, [&](const Later& later) {
        page.add(record_of(later.item, later.due_unix_ms, body_of(later.item), later.content));
    });
    core_.book.forget_loaded();
    return more;
}

bool Moving::dump_dead(int64_t& id, DumpPage& page) {
    const auto id_of = [](const DeadRow& row) { return row.item.id; };
    const bool more = add_rows(core_.tables.dead.above(id, kRowsPerRead), page, id, id_of, [&](const DeadRow& row) {
        auto record = record_of_work<DeadRecord>(row.item, body_of(row.item), row.content);
        record.buried_unix_ms = row.buried_unix_ms;
        record.replayed_unix_ms = row.replayed_unix_ms;
        record.entries = row.entries;
        record.note = row.note;
        page.add(record);
    });
    core_.book.forget_loaded();
    return more;
}

bool Moving::dump_bundles(int64_t& id, DumpPage& page) {
    const auto id_of = [](const BundleRow& row) { return row.id; };
    return add_rows(core_.tables.bundles.above(id, kRowsPerRead), page, id, id_of, [&](const BundleRow& row) {
        const std::optional<ItemTable::Found> stored = core_.tables.items.find(row.id);
        const std::string content = stored ? core_.tables.items.content(row.id) : std::string();
        const auto name_of = [&](uint32_t app) -> decltype(auto) { return core_.book.app_name(app); };
        page.add(record_of_bundle(row, stored ? &stored->item : nullptr, content, name_of));
    });
}

void Moving::load(belfry_list records) {
    const Rows<belfry_str> rows(records);
    for (size_t i = 0; i < rows.size(); ++i)
        std::visit([&](const auto& record) { load(record, i); }, decode_record(view(rows[i]), i));
}

Push& Moving::push_of(int64_t id, size_t index) {
    Push* push = core_.book.push(id);
    if (push == nullptr) refuse_record(index, "belongs to a push that was not loaded before it; keep the dump's order");
    return *push;
}

void Moving::load(const PushRecord& record, size_t index) {
    const uint32_t app = core_.book.make_app(record.app);
    if (const std::optional<Push> known = core_.tables.pushes.find(record.id)) {
        if (known->facts->app == app && known->facts->uid == record.uid) return;
        throw sqlite::Failure(BELFRY_CONFLICT, "its number belongs to another push; load into an empty queue",
                              "records[" + std::to_string(index) + "]");
    }
    auto facts = std::make_shared<PushFacts>();
    facts->id = record.id;
    facts->app = app;
    facts->uid = record.uid;
    facts->weight = record.weight;
    facts->created_unix_ms = record.created_unix_ms;
    facts->send_at_unix_ms = record.send_at_unix_ms;
    facts->expires_unix_ms = record.expires_unix_ms;
    facts->body = record.body;
    facts->fingerprint = record.fingerprint;
    Push push;
    push.lane = record.lane;
    push.state = record.state;
    push.undiscovered = record.undiscovered;
    push.finished_unix_ms = record.finished_unix_ms;
    push.body = record.body;
    push.counters = record.counters;
    push.facts = std::move(facts);
    // Not by the book, which would close it at once: its work comes with later records.
    core_.tables.pushes.insert(push);
    if (record.body != 0) core_.tables.blobs.insert(record.body, record.body_bytes);
    core_.uids.file(app, record.uid, {record.id, -1});
    core_.book.note_id(std::max(record.id, record.body));
    if (record.finished_unix_ms != 0) return;
    Totals& totals = core_.book.totals;
    ++(record.state == BELFRY_PUSH_DELAYED ? totals.delayed_pushes : totals.running_pushes);
}

void Moving::load(const BlobRecord& record, size_t index) {
    const Push& push = push_of(record.push, index);
    const int64_t id = push.body + record.ordinal;
    if (push.body == 0 || core_.tables.blobs.find(id)) return;
    core_.tables.blobs.insert(id, record.bytes);
    core_.book.note_id(id);
}

void Moving::load(const WorkRecord& record, size_t index) {
    Push& push = push_of(record.push, index);
    if (push.finished_unix_ms != 0 || core_.tables.items.find(record.id) || core_.tables.laters.has(record.id)) return;
    core_.book.note_id(record.id);
    Item item = work_of_record<Item>(record, push);
    item.ready_unix_ms = record.ready_unix_ms;
    item.crashes = record.crashes;
    core_.book.edit(push);
    if (record.due_unix_ms == 0) {
        movements_.shelve(push, std::move(item), std::string(record.content));
        return;
    }
    core_.tables.laters.insert({std::move(item), record.due_unix_ms, std::string(record.content)});
    ++core_.book.totals.delayed;
    if (is_stopped(push.state)) core_.to_sweep.insert(record.push);
}

void Moving::load(const DeadRecord& record, size_t index) {
    const Push& push = push_of(record.push, index);
    if (core_.tables.dead.find(record.id)) return;
    core_.book.note_id(record.id);
    DeadRow row;
    row.item = work_of_record<Item>(record, push);
    row.app = push.facts->app;
    row.entries = record.entries;
    row.buried_unix_ms = record.buried_unix_ms;
    row.replayed_unix_ms = record.replayed_unix_ms;
    row.note = record.note;
    core_.tables.dead.insert(row, record.content);
    if (record.replayed_unix_ms == 0) ++core_.book.totals.dead;
}

void Moving::load(const BundleRecord& record, size_t) {
    if (core_.tables.bundles.find(record.id)) return;
    core_.book.note_id(record.id);
    const auto number_of = [&](std::string_view app) { return core_.book.make_app(app); };
    const auto row = bundle_of_record<BundleRow>(record, number_of);
    for (size_t i = 0; i < row.results.size(); ++i) {
        const MemberResult& result = row.results[i];
        if (result.moved_to == kErased) continue;
        core_.uids.file(result.app, result.uid, {record.id, static_cast<int32_t>(i)});
        if (record.finished_unix_ms == 0 && result.moved_to == 0) ++core_.book.totals.running_pushes;
    }
    core_.tables.bundles.insert(row);
    if (record.finished_unix_ms != 0) return;
    auto item = bundle_item_of_record<Item>(record);
    item.vt = core_.board.virtual_time(item.lane);
    BundleBuilder builder = content_of(record, number_of);
    core_.tables.items.insert(item, false, builder.take_content());
    ++core_.book.totals.items[item.lane];
    // Fetched by the first claim, with what its members were marked as.
    core_.board.spill({item.lane, item.gate}, item.id);
}

}  // namespace belfry::queue_sqlite
