// SPDX-License-Identifier: Apache-2.0
// The tables of work items: claimable, later, dead.
#include <belfry/queue.h>

#include <limits>

#include "tables.h"

namespace belfry::queue_sqlite {

using sqlite::Blob;
using sqlite::ResetAtEnd;
using sqlite::Statement;

namespace {

#define ITEM_COLUMNS "id, after, hi, vt, ready, crashes, parked, push, kind, lane, gate, flags, attempt, blob"
#define LATER_COLUMNS "id, due, push, kind, gate, flags, attempt, after, hi, blob, content"
#define DEAD_COLUMNS \
    "id, replayed, buried, app, push, kind, gate, flags, attempt, entries, after, hi, blob, note, content"

uint32_t unsigned_at(const Statement& row, int column) {
    return static_cast<uint32_t>(row.integer(column));
}

}  // namespace

ItemTable::ItemTable(sqlite::Database& db)
    : insert_(db.prepare("INSERT INTO item (" ITEM_COLUMNS ", content) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")),
      progress_(db.prepare("UPDATE item SET after=?2, hi=?3, vt=?4, ready=?5, crashes=?6 WHERE id=?1")),
      flags_(db.prepare("UPDATE item SET flags=?2 WHERE id=?1")),
      add_flag_(db.prepare("UPDATE item SET flags=flags|?2 WHERE id=?1")),
      crashes_(db.prepare("UPDATE item SET crashes=?2 WHERE id=?1")),
      park_(db.prepare("UPDATE item SET parked=?2 WHERE id=?1")),
      park_push_(db.prepare("UPDATE item SET parked=?2 WHERE push=?1 AND push>0 AND parked<>?2")),
      move_push_(db.prepare("UPDATE item SET lane=?2, vt=?3 WHERE push=?1 AND push>0")),
      erase_(db.prepare("DELETE FROM item WHERE id=?1")),
      find_(db.prepare("SELECT " ITEM_COLUMNS " FROM item WHERE id=?1")),
      of_push_(db.prepare("SELECT " ITEM_COLUMNS " FROM item WHERE push=?1 AND push>0 ORDER BY id")),
      of_shelf_(db.prepare("SELECT " ITEM_COLUMNS " FROM item WHERE lane=?1 AND gate=?2 AND id>?3 AND parked=0 "
                           "ORDER BY id LIMIT ?4")),
      content_(db.prepare("SELECT content FROM item WHERE id=?1")),
      above_(db.prepare("SELECT " ITEM_COLUMNS " FROM item WHERE id>?1 AND push>0 ORDER BY id LIMIT ?2")),
      count_(db.prepare("SELECT count(*) FROM item WHERE push=?1 AND push>0")),
      ranges_(db.prepare("SELECT after, hi FROM item WHERE push=?1 AND push>0 AND kind=1")),
      groups_(db.prepare("SELECT lane, gate, parked, count(*), min(vt) FROM item GROUP BY lane, gate, parked")) {}

void ItemTable::insert(const Item& item, bool parked, std::string_view content) {
    insert_
        .with(item.id, item.after, item.hi, item.vt, item.ready_unix_ms, item.crashes, parked, item.push, item.kind,
              item.lane, item.gate, item.flags, item.attempt, item.blob, Blob(content))
        .run();
}

void ItemTable::update_progress(const Item& item) {
    progress_.with(item.id, item.after, item.hi, item.vt, item.ready_unix_ms, item.crashes).run();
}

void ItemTable::update_flags(int64_t id, uint32_t flags) {
    flags_.with(id, flags).run();
}
void ItemTable::add_flag(int64_t id, uint32_t flag) {
    add_flag_.with(id, flag).run();
}
void ItemTable::update_crashes(int64_t id, uint32_t crashes) {
    crashes_.with(id, crashes).run();
}
void ItemTable::park(int64_t id, bool parked) {
    park_.with(id, parked).run();
}
void ItemTable::park_push(int64_t push, bool parked) {
    park_push_.with(push, parked).run();
}
void ItemTable::move_push(int64_t push, int32_t lane, int64_t vt) {
    move_push_.with(push, lane, vt).run();
}
void ItemTable::erase(int64_t id) {
    erase_.with(id).run();
}

Item ItemTable::read(const Statement& row) {
    Item item;
    item.id = row.integer(0);
    item.after = row.integer(1);
    item.hi = row.integer(2);
    item.vt = row.integer(3);
    item.ready_unix_ms = row.integer(4);
    item.crashes = unsigned_at(row, 5);
    item.push = row.integer(7);
    item.kind = static_cast<int32_t>(row.integer(8));
    item.lane = static_cast<int32_t>(row.integer(9));
    item.gate = unsigned_at(row, 10);
    item.flags = unsigned_at(row, 11);
    item.attempt = unsigned_at(row, 12);
    item.blob = row.integer(13);
    return item;
}

std::optional<ItemTable::Found> ItemTable::find(int64_t id) {
    const ResetAtEnd reset(find_);
    if (!find_.with(id).step()) return std::nullopt;
    return Found{read(find_), find_.integer(6) != 0};
}

std::vector<ItemTable::Found> ItemTable::of_push(int64_t push) {
    const ResetAtEnd reset(of_push_);
    std::vector<Found> found;
    of_push_.with(push);
    while (of_push_.step()) found.push_back({read(of_push_), of_push_.integer(6) != 0});
    return found;
}

std::vector<Item> ItemTable::of_shelf(int32_t lane, uint32_t gate, int64_t after, size_t limit) {
    const ResetAtEnd reset(of_shelf_);
    std::vector<Item> items;
    of_shelf_.with(lane, gate, after, limit);
    while (of_shelf_.step()) items.push_back(read(of_shelf_));
    return items;
}

std::string ItemTable::content(int64_t id) {
    const ResetAtEnd reset(content_);
    return content_.with(id).step() ? std::string(content_.blob(0)) : std::string();
}

std::vector<Item> ItemTable::above(int64_t id, size_t limit) {
    const ResetAtEnd reset(above_);
    std::vector<Item> items;
    above_.with(id, limit);
    while (above_.step()) items.push_back(read(above_));
    return items;
}

uint32_t ItemTable::count_of_push(int64_t push) {
    const ResetAtEnd reset(count_);
    count_.with(push).step();
    return unsigned_at(count_, 0);
}

int64_t ItemTable::range_left(int64_t push) {
    const ResetAtEnd reset(ranges_);
    ranges_.with(push);
    // Ranges of one push are disjoint; only a caller's odd bounds can overflow.
    uint64_t sum = 0;
    while (ranges_.step()) sum += static_cast<uint64_t>(ranges_.integer(1)) - static_cast<uint64_t>(ranges_.integer(0));
    constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    return static_cast<int64_t>(std::min(sum, kMax));
}

std::vector<ItemTable::Group> ItemTable::groups() {
    const ResetAtEnd reset(groups_);
    std::vector<Group> found;
    groups_.with();
    while (groups_.step()) {
        found.push_back({static_cast<int32_t>(groups_.integer(0)), unsigned_at(groups_, 1), groups_.integer(2) != 0,
                         groups_.integer(3), groups_.integer(4)});
    }
    return found;
}

LaterTable::LaterTable(sqlite::Database& db)
    : insert_(db.prepare("INSERT INTO later (" LATER_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?)")),
      erase_(db.prepare("DELETE FROM later WHERE id=?1")),
      erase_initial_(db.prepare("DELETE FROM later WHERE push=?1 AND (flags & 2) <> 0 RETURNING blob")),
      due_(db.prepare("SELECT " LATER_COLUMNS " FROM later WHERE due<=?1 ORDER BY due LIMIT ?2")),
      of_push_(db.prepare("SELECT " LATER_COLUMNS " FROM later WHERE push=?1 LIMIT ?2")),
      above_(db.prepare("SELECT " LATER_COLUMNS " FROM later WHERE id>?1 ORDER BY id LIMIT ?2")),
      has_(db.prepare("SELECT 1 FROM later WHERE id=?1")),
      any_(db.prepare("SELECT 1 FROM later WHERE push=?1 LIMIT 1")),
      next_(db.prepare("SELECT min(due) FROM later")),
      count_(db.prepare("SELECT count(*) FROM later")) {}

void LaterTable::insert(const Later& row) {
    const Item& item = row.item;
    insert_
        .with(item.id, row.due_unix_ms, item.push, item.kind, item.gate, item.flags, item.attempt, item.after, item.hi,
              item.blob, Blob(row.content))
        .run();
}

void LaterTable::erase(int64_t id) {
    erase_.with(id).run();
}

std::vector<int64_t> LaterTable::erase_initial(int64_t push) {
    static_assert(kInitial == 2, "the statement names the flag by number");
    const ResetAtEnd reset(erase_initial_);
    std::vector<int64_t> blobs;
    erase_initial_.with(push);
    while (erase_initial_.step()) blobs.push_back(erase_initial_.integer(0));
    return blobs;
}

std::vector<Later> LaterTable::read_all(Statement& rows) {
    const ResetAtEnd reset(rows);
    std::vector<Later> found;
    while (rows.step()) {
        Later& later = found.emplace_back();
        later.item.id = rows.integer(0);
        later.due_unix_ms = rows.integer(1);
        later.item.push = rows.integer(2);
        later.item.kind = static_cast<int32_t>(rows.integer(3));
        later.item.gate = unsigned_at(rows, 4);
        later.item.flags = unsigned_at(rows, 5);
        later.item.attempt = unsigned_at(rows, 6);
        later.item.after = rows.integer(7);
        later.item.hi = rows.integer(8);
        later.item.blob = rows.integer(9);
        later.content = rows.blob(10);
    }
    return found;
}

std::vector<Later> LaterTable::due(int64_t now_unix_ms, size_t limit) {
    return read_all(due_.with(now_unix_ms, limit));
}
std::vector<Later> LaterTable::of_push(int64_t push, size_t limit) {
    return read_all(of_push_.with(push, limit));
}

std::vector<Later> LaterTable::above(int64_t id, size_t limit) {
    return read_all(above_.with(id, limit));
}

bool LaterTable::has(int64_t id) {
    const ResetAtEnd reset(has_);
    return has_.with(id).step();
}

bool LaterTable::any_of_push(int64_t push) {
    const ResetAtEnd reset(any_);
    return any_.with(push).step();
}

int64_t LaterTable::next_due() {
    const ResetAtEnd reset(next_);
    next_.with().step();
    return next_.integer(0);
}

int64_t LaterTable::count() {
    const ResetAtEnd reset(count_);
    count_.with().step();
    return count_.integer(0);
}

DeadTable::DeadTable(sqlite::Database& db)
    : insert_(db.prepare("INSERT INTO dead (" DEAD_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")),
      find_(db.prepare("SELECT " DEAD_COLUMNS " FROM dead WHERE id=?1")),
      replayed_(db.prepare("UPDATE dead SET replayed=?2, blob=0, content=x'' WHERE id=?1")),
      erase_(db.prepare("DELETE FROM dead WHERE id=?1")),
      of_app_(db.prepare("SELECT " DEAD_COLUMNS " FROM dead WHERE app=?1 AND id>?2 ORDER BY id LIMIT ?3")),
      of_push_(db.prepare("SELECT " DEAD_COLUMNS " FROM dead WHERE push=?1 AND id>?2 ORDER BY id LIMIT ?3")),
      above_(db.prepare("SELECT " DEAD_COLUMNS " FROM dead WHERE id>?1 ORDER BY id LIMIT ?2")),
      buried_(db.prepare("SELECT " DEAD_COLUMNS " FROM dead WHERE buried<=?1 ORDER BY buried LIMIT ?2")),
      any_(db.prepare("SELECT 1 FROM dead WHERE push=?1 LIMIT 1")),
      unreplayed_(db.prepare("SELECT 1 FROM dead WHERE push=?1 AND replayed=0 LIMIT 1")),
      count_(db.prepare("SELECT count(*) FROM dead WHERE replayed=0")) {}

void DeadTable::insert(const DeadRow& row, std::string_view content) {
    const Item& item = row.item;
    insert_
        .with(item.id, row.replayed_unix_ms, row.buried_unix_ms, row.app, item.push, item.kind, item.gate, item.flags,
              item.attempt, row.entries, item.after, item.hi, item.blob, std::string_view(row.note), Blob(content))
        .run();
}

DeadRow DeadTable::read(const Statement& row) {
    DeadRow dead;
    dead.item.id = row.integer(0);
    dead.replayed_unix_ms = row.integer(1);
    dead.buried_unix_ms = row.integer(2);
    dead.app = unsigned_at(row, 3);
    dead.item.push = row.integer(4);
    dead.item.kind = static_cast<int32_t>(row.integer(5));
    dead.item.gate = unsigned_at(row, 6);
    dead.item.flags = unsigned_at(row, 7);
    dead.item.attempt = unsigned_at(row, 8);
    dead.entries = unsigned_at(row, 9);
    dead.item.after = row.integer(10);
    dead.item.hi = row.integer(11);
    dead.item.blob = row.integer(12);
    dead.note = row.text(13);
    dead.content = row.blob(14);
    return dead;
}

std::optional<DeadRow> DeadTable::find(int64_t id) {
    const ResetAtEnd reset(find_);
    if (!find_.with(id).step()) return std::nullopt;
    return read(find_);
}

void DeadTable::mark_replayed(int64_t id, int64_t now_unix_ms) {
    replayed_.with(id, now_unix_ms).run();
}
void DeadTable::erase(int64_t id) {
    erase_.with(id).run();
}

std::vector<DeadRow> DeadTable::read_all(Statement& rows) {
    const ResetAtEnd reset(rows);
    std::vector<DeadRow> found;
    while (rows.step()) found.push_back(read(rows));
    return found;
}

std::vector<DeadRow> DeadTable::of_app(uint32_t app, int64_t push, int64_t after, size_t limit) {
    return read_all(push == 0 ? of_app_.with(app, after, limit) : of_push_.with(push, after, limit));
}
std::vector<DeadRow> DeadTable::above(int64_t id, size_t limit) {
    return read_all(above_.with(id, limit));
}
std::vector<DeadRow> DeadTable::buried_before(int64_t unix_ms, size_t limit) {
    return read_all(buried_.with(unix_ms, limit));
}

bool DeadTable::any_of_push(int64_t push) {
    const ResetAtEnd reset(any_);
    return any_.with(push).step();
}

bool DeadTable::any_unreplayed_of_push(int64_t push) {
    const ResetAtEnd reset(unreplayed_);
    return unreplayed_.with(push).step();
}

int64_t DeadTable::count() {
    const ResetAtEnd reset(count_);
    count_.with().step();
    return count_.integer(0);
}

}  // namespace belfry::queue_sqlite
