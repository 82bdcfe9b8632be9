// SPDX-License-Identifier: Apache-2.0
// page: applies checkpoints, all of a call in one transaction. Each is checked before anything of it is written, so
// that it is applied as a whole or not at all.
//
// Threads: [any].  Owner: PgQueue.
#pragma once

#include <belfry/queue.h>

#include <belfry/abi.hpp>
#include <map>
#include <string>
#include <vector>

#include "queue_pg/turn.h"

namespace belfry::queue_pg {

// The answer to one checkpoint with the room its list needs.
struct PagedAnswer {
    belfry_code code = BELFRY_OK;
    uint32_t live_items = 0;
    std::vector<belfry_ref> mine;
};

class Pages {
public:
    explicit Pages(Core& core) : core_(core) {}

    std::vector<PagedAnswer> page(uint64_t node, Rows<belfry_checkpoint> checkpoints);

private:
    Core& core_;
};

// One try at the transaction of a call.
class PageTurn {
public:
    PageTurn(Core& core, pg::Connection& connection, pg::Deadline deadline, uint64_t node, uint32_t epoch)
        : core_(core), turn_(core, connection, deadline), node_(node), epoch_(epoch) {}

    std::vector<PagedAnswer> run(Rows<belfry_checkpoint> checkpoints);

private:
    // An item of the call, as stored and as it will be.
    struct Work {
        Item item;
        Shelf shelf;
        std::string content;  // only where a checkpoint needs it
        bool is_changed = false, is_gone = false, is_put_back = false, is_damaged = false;
    };
    using Request = std::pair<uint64_t, int64_t>;  // request, item

    void load(Rows<belfry_checkpoint> checkpoints);
    void load_moved();
    PagedAnswer answer_to(const belfry_checkpoint& checkpoint);
    // Null: the item is not this node's to change.
    Work* owned(const belfry_checkpoint& checkpoint);
    void put_back(Work& work);
    // Empty, or what is wrong with the item's rows.
    std::string_view damage_of(const belfry_checkpoint& checkpoint, const Work& work);
    void finish();
    void remember() const;
    void remember_again(int64_t id, const PagedAnswer& answer) const;

    // pages.cpp
    PagedAnswer apply_to_push(const belfry_checkpoint& checkpoint, Work& work);
    void advance(const belfry_checkpoint& checkpoint, Push& push, Item& item);
    void owe(const belfry_owed& owed, int64_t blob, uint32_t index, Push& push, PagedAnswer& answer);
    belfry_code move_on(const belfry_checkpoint& checkpoint, Push& push, Work& work);
    void release(Work& work, int64_t shelf);

    // bundle_pages.cpp
    PagedAnswer apply_to_bundle(const belfry_checkpoint& checkpoint, Work& work);
    void owe_members(const belfry_checkpoint& checkpoint, Bundle& bundle, const Work& work, PagedAnswer& answer);

    Core& core_;
    Turn turn_;
    const uint64_t node_;
    const uint32_t epoch_;  // of lists born held
    std::map<int64_t, Work> works_;
    std::map<int64_t, Bundle> bundles_;
    std::map<Request, PagedAnswer> replies_;  // to what was applied before
    std::vector<int64_t> mine_;
};

}  // namespace belfry::queue_pg
