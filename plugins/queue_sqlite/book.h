// SPDX-License-Identifier: Apache-2.0
// What is in memory about pushes and items, and what one transaction of the writer changes in it.
//
// A turn is begin, any number of edits, then flush + COMMIT + publish, or rollback. Nothing that a turn makes claimable
// can be claimed before its commit: items it edits are off their shelves until publish. A rollback puts back what every
// edited item and push was before.
//
// Threads: the writer's.  Owner: Core.
// Not here: which transitions make sense (movements.h), the shelves (board.h).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "board.h"
#include "tables.h"
#include "types.h"

namespace belfry::queue_sqlite {

// Row counts, kept in step so that stats and the backlog bound cost nothing.
struct Totals {
    int64_t items[kLanes] = {};   // rows of the item table
    int64_t parked[kLanes] = {};  // of them, parked and not held
    int64_t delayed = 0, dead = 0;
    int64_t running_pushes = 0;  // not final and not delayed; members of bundles included
    int64_t delayed_pushes = 0;
};

// Where an edited item goes with the commit.
enum class Fate : uint8_t {
    Publish,  // onto its shelf
    Stay,     // remains held by its owner
    Hold,     // becomes held by item.node
    Forget    // leaves memory: erased, or parked
};

class Book {
public:
    Book(Tables& tables, Board& board) : tables_(tables), board_(board) {}

    // [control] Ids, apps and row counts from the file, inside a transaction.
    void load();

    // Numbers of the file, never used twice.
    int64_t next_id();
    int64_t last_id() const noexcept { return next_id_ - 1; }
    // A number that came with a load: new ones are larger.
    void note_id(int64_t id);
    // 0: unknown.
    uint32_t find_app(std::string_view name) const;
    uint32_t make_app(std::string_view name);
    const std::string& app_name(uint32_t app) const { return app_names_.at(app - 1); }

    void begin();
    // The last statements of the transaction: dirty rows, and closing pushes that have nothing left.
    void flush(int64_t now_unix_ms);
    void publish(int64_t now_unix_ms);
    void rollback();

    // The item if it is in memory.
    Item* find(int64_t id);
    // The item that (id, epoch, node) still owns, else null.
    Item* owned(int64_t id, uint32_t epoch, uint64_t node);
    // Takes the item off its shelf and remembers it for a rollback. Items of which edit() was called go where their
    // fate says: Stay for held ones, Publish for others, until set_fate.
    Item& edit(Item& item);
    Fate fate(Item& item);
    void set_fate(Item& item, Fate fate);
    bool is_held(const Item& item);
    // A new item, with a row or about to get one.
    Item& create(Item item, Fate fate);
    // An item of the file that was not in memory.
    Item& adopt(Item item);
    // As adopt, outside of a turn, for claimable items; the caller publishes it.
    Item& fetch(Item item);

    // The push, loaded if need be; null if unknown. Valid to the end of the turn, or to forget_loaded.
    Push* push(int64_t id);
    // A new push; flush writes its row.
    Push& create(Push push);
    // edit: what is only in memory; the others name the columns that flush writes.
    Push& edit(Push& push);
    Push& edit_counters(Push& push);
    Push& edit_state(Push& push);
    // New facts of a push, for items made from now on.
    void replace_facts(Push& push, std::shared_ptr<PushFacts> facts);
    // How many pushes of an app have items in memory: they share the app's part.
    uint32_t live_pushes(uint32_t app) const;
    // Drops pushes and bundles that were only loaded for a look, outside of turns. At the end of a turn it happens by
    // itself.
    void forget_loaded();

    // A bundle's result row; null if unknown. Edited rows are written by flush.
    BundleRow* bundle(int64_t id);
    void edit_bundle(BundleRow& row) { dirty_bundles_[row.id] = true; }
    // Forgets a result row that was deleted.
    void drop_bundle(int64_t id);

    Totals totals;

private:
    struct ItemTurn {
        std::optional<Item> before;  // none: made in this turn
        Fate fate = Fate::Publish;
        bool adopted = false;
    };
    struct PushTurn {
        std::optional<Push> before;  // none: made in this turn
        bool made = false, counters = false, state = false;
    };

    Push& put(Push push);
    PushTurn& turn_of(Push& push);
    void join(Item& item);
    void leave(Item& item);
    void close_if_done(Push& push, int64_t now_unix_ms);
    void end_turn();

    Tables& tables_;
    Board& board_;
    std::unordered_map<int64_t, std::unique_ptr<Item>> items_;
    std::unordered_map<int64_t, std::unique_ptr<Push>> pushes_;
    std::unordered_map<uint32_t, uint32_t> live_pushes_;  // by app
    std::vector<int64_t> loaded_;
    std::vector<std::string> app_names_;
    std::map<std::string, uint32_t, std::less<>> app_numbers_;
    int64_t next_id_ = 1, reserved_ids_ = 1;

    std::unordered_map<Item*, ItemTurn> item_turns_;
    std::unordered_map<int64_t, PushTurn> push_turns_;
    std::map<int64_t, BundleRow> bundles_;
    std::map<int64_t, bool> dirty_bundles_;
    Totals totals_before_;
    size_t apps_before_ = 0;
};

}  // namespace belfry::queue_sqlite
