// SPDX-License-Identifier: Apache-2.0
// The statements of a queue file, one class per table: rows in, rows out. All prepared once.
//
// Threads: the writer's.  Owner: Queue; ends before its Database.
// Not here: what belongs together in a transaction.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sqlite/database.h"
#include "types.h"

namespace belfry::queue_sqlite {

// An item that is not due yet.
struct Later {
    Item item;
    int64_t due_unix_ms = 0;
    std::string content;
};

struct DeadRow {
    Item item;  // item.id: the dead letter's
    uint32_t app = 0, entries = 0;
    int64_t buried_unix_ms = 0, replayed_unix_ms = 0;
    std::string note, content;
};

struct BundleRow {
    int64_t id = 0;
    int32_t lane = 0;
    int64_t created_unix_ms = 0, finished_unix_ms = 0;
    std::vector<MemberResult> results;
};

// What a uid stands for.
struct UidRef {
    int64_t ref = 0;      // push, or bundle
    int32_t member = -1;  // index in the bundle; -1: ref is a push
    bool operator==(const UidRef&) const = default;
};

struct UidEntry {
    int64_t hash = 0;
    UidRef ref;
    bool operator==(const UidEntry&) const = default;
};

class ItemTable {
public:
    explicit ItemTable(sqlite::Database& database);
    void insert(const Item& item, bool parked, std::string_view content);
    // The columns that a page moves: after, hi, vt, ready, crashes.
    void update_progress(const Item& item);
    void update_flags(int64_t id, uint32_t flags);
    void add_flag(int64_t id, uint32_t flag);
    void update_crashes(int64_t id, uint32_t crashes);
    void park(int64_t id, bool parked);
    void park_push(int64_t push, bool parked);
    void move_push(int64_t push, int32_t lane, int64_t vt);
    void erase(int64_t id);

    struct Found {
        Item item;
        bool parked = false;
    };
    std::optional<Found> find(int64_t id);
    std::vector<Found> of_push(int64_t push);
    // Claimable items of a shelf after an id, in order.
    std::vector<Item> of_shelf(int32_t lane, uint32_t gate, int64_t after, size_t limit);
    std::string content(int64_t id);
    // Slices and lists after an id, parked ones too.
    std::vector<Item> above(int64_t id, size_t limit);
    uint32_t count_of_push(int64_t push);
    // Sum of hi - after over a push's slices.
    int64_t range_left(int64_t push);

    struct Group {
        int32_t lane = 0;
        uint32_t gate = 0;
        bool parked = false;
        int64_t count = 0, lowest_vt = 0;
    };
    std::vector<Group> groups();

private:
    static Item read(const sqlite::Statement& row);
    sqlite::Statement insert_, progress_, flags_, add_flag_, crashes_, park_, park_push_, move_push_, erase_, find_,
        of_push_, of_shelf_, content_, above_, count_, ranges_, groups_;
};

class LaterTable {
public:
    explicit LaterTable(sqlite::Database& database);
    void insert(const Later& row);
    void erase(int64_t id);
    // Items that came with the push and were never due; answers their token blobs (0 where there is none).
    std::vector<int64_t> erase_initial(int64_t push);
    std::vector<Later> due(int64_t now_unix_ms, size_t limit);
    std::vector<Later> of_push(int64_t push, size_t limit);
    std::vector<Later> above(int64_t id, size_t limit);
    bool has(int64_t id);
    bool any_of_push(int64_t push);
    // 0 = none.
    int64_t next_due();
    int64_t count();

private:
    static std::vector<Later> read_all(sqlite::Statement& rows);
    sqlite::Statement insert_, erase_, erase_initial_, due_, of_push_, above_, has_, any_, next_, count_;
};

class DeadTable {
public:
    explicit DeadTable(sqlite::Database& database);
    void insert(const DeadRow& row, std::string_view content);
    std::optional<DeadRow> find(int64_t id);
    // Keeps the row as a record, without content.
    void mark_replayed(int64_t id, int64_t now_unix_ms);
    void erase(int64_t id);
    // Of an app, and of one push unless it is 0.
    std::vector<DeadRow> of_app(uint32_t app, int64_t push, int64_t after, size_t limit);
    std::vector<DeadRow> above(int64_t id, size_t limit);
    std::vector<DeadRow> buried_before(int64_t unix_ms, size_t limit);
    bool any_of_push(int64_t push);
    bool any_unreplayed_of_push(int64_t push);
    int64_t count();

private:
    static DeadRow read(const sqlite::Statement& row);
    static std::vector<DeadRow> read_all(sqlite::Statement& rows);
    sqlite::Statement insert_, find_, replayed_, erase_, of_app_, of_push_, above_, buried_, any_, unreplayed_, count_;
};

class PushTable {
public:
    explicit PushTable(sqlite::Database& database);
    void insert(const Push& push);
    void update_counters(const Push& push);
    // state, lane, finished, body, expires.
    void update_state(const Push& push);
    void erase(int64_t id);
    // Without app names and item counts.
    std::optional<Push> find(int64_t id);
    std::vector<Push> of_app(uint32_t app, int64_t below, size_t limit);
    // Those in a state among the next kRowsPerLook rows, newest first.
    struct Look {
        std::vector<Push> found;
        int64_t looked_to = 0;  // below it nothing was looked at; 0: there is nothing
    };
    static constexpr size_t kRowsPerLook = 1000;
    Look in_state(uint32_t app, int32_t state, int64_t below, size_t limit);
    // Oldest first.
    std::vector<Push> above(int64_t id, size_t limit);
    std::vector<int64_t> expiring(int64_t now_unix_ms, size_t limit);
    struct Finished {
        int64_t unix_ms = 0, id = 0;
        bool has_letters = false;
    };
    // In this order, behind `after`.
    std::vector<Finished> finished_before(int64_t unix_ms, const Finished& after, size_t limit);
    std::vector<int64_t> open_in_state(int32_t state);
    int64_t count_open(int32_t state);
    void each_uid_above(int64_t id, const std::function<void(int64_t id, uint32_t app, std::string_view uid)>& fn);

private:
    static Push read(const sqlite::Statement& row);
    sqlite::Statement insert_, counters_, state_, erase_, find_, of_app_, open_below_, above_, expiring_, finished_,
        open_, count_open_, uids_;
};

class BundleTable {
public:
    explicit BundleTable(sqlite::Database& database);
    void insert(const BundleRow& row);
    void update(const BundleRow& row);
    void erase(int64_t id);
    std::optional<BundleRow> find(int64_t id);
    // Newest first.
    std::vector<BundleRow> below(int64_t id, size_t limit);
    // Oldest first.
    std::vector<BundleRow> above(int64_t id, size_t limit);
    std::vector<int64_t> finished_before(int64_t unix_ms, size_t limit);
    // Members of unfinished bundles that are not pushes of their own.
    int64_t count_open_members();

private:
    static BundleRow read(const sqlite::Statement& row);
    static std::vector<BundleRow> read_all(sqlite::Statement& rows);
    sqlite::Statement insert_, update_, erase_, find_, below_, above_, finished_, open_;
};

class UidTable {
public:
    explicit UidTable(sqlite::Database& database);
    // May be there already.
    void insert(const UidEntry& entry);
    void erase(const UidEntry& entry);
    void find(int64_t hash, std::vector<UidRef>& found);

private:
    sqlite::Statement insert_, erase_, find_;
};

class BlobTable {
public:
    explicit BlobTable(sqlite::Database& database);
    void insert(int64_t id, std::string_view bytes);
    std::optional<std::string> find(int64_t id);
    void erase(int64_t id);
    // Frees a token blob unless an item, later row or dead letter refers to it.
    void erase_if_unused(int64_t id);
    std::vector<int64_t> above(int64_t id, size_t limit);
    // The push whose work picks from a token blob; 0: it is a body.
    int64_t push_of(int64_t id);

private:
    sqlite::Statement insert_, find_, erase_, erase_unused_, above_, push_of_;
};

class AppTable {
public:
    explicit AppTable(sqlite::Database& database);
    void insert(uint32_t id, std::string_view name);
    // In order of their numbers, which start at 1 without gaps.
    std::vector<std::string> all();

private:
    sqlite::Statement insert_, all_;
};

// Named numbers of the file: the next id, how often it was opened.
class CounterTable {
public:
    explicit CounterTable(sqlite::Database& database);
    int64_t get(std::string_view name);
    void set(std::string_view name, int64_t value);

private:
    sqlite::Statement get_, set_;
};

struct Tables {
    explicit Tables(sqlite::Database& database);
    ItemTable items;
    LaterTable laters;
    DeadTable dead;
    PushTable pushes;
    BundleTable bundles;
    UidTable uids;
    BlobTable blobs;
    AppTable apps;
    CounterTable counters;
};

}  // namespace belfry::queue_sqlite
