// SPDX-License-Identifier: Apache-2.0
// The claimable items in memory: a shelf per lane and gate, each ordered by (virtual time, id), so that a claim costs
// no SQL and never looks at the items of a closed gate.
//
// Fairness is start-time fair queueing. An item's virtual time grows with what it cost; a lane's virtual time is that
// of the last item claimed, and an item put on a shelf starts at least there. A push that waited (paused, new, behind a
// closed gate) therefore gets its share at once but no arrears.
//
// Memory is bounded: a shelf holds `shelf_items`; what arrives beyond stays on disk and is fetched in order of arrival
// once the shelf runs low (`starved`). Contents of waiting items are kept while they fit into `content_bytes`.
//
// Threads: [any]; one mutex. Items on a shelf are changed only under it. Lookups of held items are the writer's.
// Not here: SQL, pushes, what a page does.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <unordered_set>
#include <vector>

#include "ledger.h"
#include "types.h"

namespace belfry::queue_sqlite {

struct ShelfKey {
    int32_t lane = 0;
    uint32_t gate = 0;
};

struct Claim {
    std::vector<Item> grants;         // copies, because claimed items belong to the writer
    std::optional<ShelfKey> starved;  // fetch this shelf's next items first, then claim again
    uint64_t version = 0;             // for wait()
};

class Board {
public:
    struct Bounds {
        size_t shelf_items = 8192;
        size_t content_bytes = 16u << 20;
    };
    Board(Ledger& ledger, Bounds bounds) : ledger_(ledger), bounds_(bounds) {}

    // Takes up to n items of the lane whose gate is 0 or in `gates`, and stopped ones of any gate, fairest first.
    Claim claim(uint64_t node, int32_t lane, std::span<const uint32_t> gates, uint32_t n, int64_t now_unix_ms);
    // Returns when something was published after `version`, or at `until`.
    void wait(uint64_t version, std::chrono::steady_clock::time_point until);

    // [writer] Puts items on their shelves, held ones too.
    void publish(std::span<Item* const> items);
    // [writer] Takes an item off its shelf; false if it was not on one (a claim was faster).
    bool withdraw(Item& item);
    // [writer] Makes an item held by `node` without a claim, with a new epoch.
    void hold(Item& item, uint64_t node, int64_t now_unix_ms);
    // [writer] Off whatever it was on.
    void discard(Item& item);
    bool is_held(const Item& item);
    // [writer] Items held by a node.
    std::vector<Item*> held_by(uint64_t node);

    // [writer] Whether one more item of the shelf may be in memory; if not, it must be spilled.
    bool has_room(ShelfKey key);
    // [writer] The item is claimable but stays on disk.
    void spill(ShelfKey key, int64_t item);
    // [writer] How many items to fetch for a shelf and after which id.
    struct Fetch {
        int64_t after = 0;
        size_t limit = 0;
    };
    Fetch next_fetch(ShelfKey key);
    void fetched(ShelfKey key, int64_t last_item, bool more);

    uint32_t next_epoch();
    void set_first_epoch(uint32_t epoch) { epoch_ = epoch; }
    int64_t virtual_time(int32_t lane);
    void set_virtual_time(int32_t lane, int64_t vt);
    int64_t held_count(int32_t lane);
    // The oldest ready time among the items in memory; 0 = none.
    int64_t oldest_ready(int32_t lane);

private:
    struct Order {
        bool operator()(const Item* a, const Item* b) const noexcept {
            return a->vt != b->vt ? a->vt < b->vt : a->id < b->id;
        }
    };
    struct Shelf {
        std::set<Item*, Order> items;
        bool spilled = false;
        int64_t fetched_to = 0;  // every claimable item up to here is in memory
    };
    struct Lane {
        std::map<uint32_t, Shelf> shelves;
        Shelf stopped;
        int64_t vt = 0;
        int64_t held = 0;
    };

    Shelf& shelf_of(const Item& item);
    bool is_starved(const Shelf& shelf) const noexcept;
    std::vector<Shelf*> open_shelves(Lane& lane, std::span<const uint32_t> gates);
    void put(Item& item);
    void take_off(Item& item);
    void let_go(Item& item);
    void mark_held(Item& item, uint64_t node, int64_t now_unix_ms);

    std::mutex mutex_;
    std::condition_variable changed_;
    Ledger& ledger_;
    const Bounds bounds_;
    Lane lanes_[kLanes];
    std::unordered_set<Item*> held_;
    size_t content_bytes_ = 0;  // of items on shelves
    uint64_t version_ = 0;
    uint32_t epoch_ = 0;
};

}  // namespace belfry::queue_sqlite
