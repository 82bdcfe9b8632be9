// SPDX-License-Identifier: Apache-2.0
// What a transaction changes, collected row by row and sent as one statement for each kind of row: one round trip.
//
// Threads: one at a time.  Owner: Turn.  Not here: what belongs together (turn.h).
#pragma once

#include <initializer_list>
#include <optional>
#include <utility>

#include "pg/connection.h"
#include "queue_pg/rows.h"

namespace belfry::queue_pg {

// Where an item is claimable: its gate, kStoppedShelf, or nowhere (held or parked).
using Shelf = std::optional<int64_t>;

class Writes {
public:
    Writes();

    void insert(const Item& item, Shelf shelf, std::string_view content);
    void insert_later(const Item& item, int64_t due_unix_ms, std::string_view content);
    void insert_dead(const Item& work, uint32_t app, int64_t now, std::string_view note, std::string_view content);
    void insert(const Push& push);
    void insert(const Bundle& bundle);
    void insert_blob(int64_t id, std::string_view bytes);
    void insert_uid(uint32_t app, std::string_view uid, int64_t ref, int32_t member);
    // A uid whose push or bundle is too old to count; only if it still means that one.
    void erase_uid(uint32_t app, std::string_view uid, int64_t ref);
    // The uid of a member that became a push.
    void repoint_uid(uint32_t app, std::string_view uid, int64_t bundle, int64_t push);

    // All that a page moves.
    void update(const Item& item, Shelf shelf);
    void add_flag(int64_t item, uint32_t flag);
    void erase_item(int64_t id) { erased_items_.push_back(id); }
    // All of a push's items that nobody holds become claimable whatever their gate.
    void release_all(int64_t push) { released_pushes_.push_back(push); }
    // Nobody's items of a push: put aside, or claimable again from now on.
    void park_all(int64_t push) { parked_pushes_.push_back(push); }
    void unpark_all(int64_t push, int64_t now, int64_t vt) { unparked_.push_back({push, now, vt}); }
    // state, expires, finished; its row must be locked, for pages read it without.
    void update(const Push& push);
    void set_lane(int64_t push, int32_t lane, int64_t vt) { lane_moves_.push_back({push, lane, vt}); }
    // From delayed to running.
    void start(int64_t push) { started_.push_back(push); }
    // Of a stopped push: what was never due goes, what was owed is due now, to be counted.
    void stop_laters(int64_t push) { stopped_pushes_.push_back(push); }
    void erase_later(int64_t id) { erased_laters_.push_back(id); }
    void update(const Bundle& bundle);
    // The pushes that members of it became stand for themselves now.
    void dissolve(int64_t bundle) { dissolved_.push_back(bundle); }

    void count(int64_t push, uint32_t gate, int32_t outcome, int64_t n);
    void sample(int64_t push, uint32_t gate, int32_t outcome, std::string_view text);
    void change(int64_t now, int64_t push, uint32_t app, int32_t state, std::string_view uid);
    void reply(uint64_t node, uint64_t request, int64_t item, int64_t now, std::string_view answer);

    // Queues the statements for the connection's next trip.
    void send(pg::Connection& connection);

private:
    struct Table {
        explicit Table(std::initializer_list<pg::Type> types);
        bool empty() const noexcept { return columns.front().empty(); }
        pg::Params params() const;
        std::vector<pg::Column> columns;
    };
    struct LaneMove {
        int64_t push;
        int32_t lane;
        int64_t vt;
    };
    struct Unparked {
        int64_t push, now, vt;
    };
    void send_inserts(pg::Connection& connection);
    void send_updates(pg::Connection& connection);

    Table items_, laters_, dead_, pushes_, bundles_, blobs_, uids_, erased_uids_, deltas_, samples_, changes_, replies_;
    std::vector<std::pair<Item, Shelf>> changed_items_;
    std::vector<std::pair<int64_t, uint32_t>> flags_;
    std::vector<int64_t> erased_items_, erased_laters_, released_pushes_, parked_pushes_, stopped_pushes_, started_,
        dissolved_;
    std::vector<Unparked> unparked_;
    std::vector<Push> changed_pushes_;
    std::vector<Bundle> changed_bundles_;
    std::vector<LaneMove> lane_moves_;
    Table repointed_;
};

}  // namespace belfry::queue_pg
