// SPDX-License-Identifier: Apache-2.0
// page: applies checkpoints. Each is checked before anything of it is written, so that it is applied as a whole or not
// at all; the transaction around it does the rest.
//
// Threads: the writer's.  Owner: Queue.
#pragma once

#include <belfry/queue.h>

#include "movements.h"

namespace belfry::queue_sqlite {

// The answer to one checkpoint with the room its list needs.
struct PagedAnswer {
    belfry_code code = BELFRY_OK;
    uint32_t live_items = 0;
    std::vector<MineRef> mine;
};

class Pages {
public:
    Pages(Core& core, Movements& movements) : core_(core), movements_(movements) {}

    void page(uint64_t node, belfry_list checkpoints, std::vector<PagedAnswer>& answers);

private:
    PagedAnswer apply(uint64_t node, const belfry_checkpoint& checkpoint);
    PagedAnswer apply_to_push(uint64_t node, const belfry_checkpoint& checkpoint, Item& item);
    PagedAnswer apply_to_bundle(uint64_t node, const belfry_checkpoint& checkpoint, Item& item);

    void count(const belfry_checkpoint& checkpoint, Push& push);
    void count_members(const belfry_checkpoint& checkpoint, BundleRow& row);
    void charge(const belfry_checkpoint& checkpoint, const Push& push, Item& item);
    void advance(const belfry_checkpoint& checkpoint, Push& push, Item& item);
    // What one owed list becomes; a MINE one is answered.
    void owe(uint64_t node, const belfry_owed& owed, int64_t blob, uint32_t index, Push& push, PagedAnswer& answer);
    belfry_code move_on(const belfry_checkpoint& checkpoint, Push& push, Item& item);
    void release(Item& item);

    Core& core_;
    Movements& movements_;
};

}  // namespace belfry::queue_sqlite
