// SPDX-License-Identifier: Apache-2.0
// claim: takes items off their shelves and hands out references. Costs no SQL unless a shelf runs low or a content is
// no longer in memory; then the writer fetches it.
//
// Threads: [any].  Owner: Queue.
#pragma once

#include <belfry/queue.h>

#include "core.h"
#include "writer.h"

namespace belfry::queue_sqlite {

class Claims {
public:
    Claims(Core& core, Writer& writer) : core_(core), writer_(writer) {}

    void claim(uint64_t node, int32_t lane, belfry_list open_gates, uint32_t n, uint32_t wait_ms, belfry_emit emit,
               void* ctx);

private:
    std::vector<Item> take(uint64_t node, int32_t lane, belfry_list open_gates, uint32_t n, uint32_t wait_ms);
    void fetch_shelf(ShelfKey key);
    // [writer] A claimable row into memory.
    Item& take_in(Item row);
    void fetch_contents(std::vector<Item>& grants);
    // [writer] The item of a grant, if it is still held by that claim.
    Item* held_as(const Item& grant);
    // Back on their shelves, as if they had never been claimed.
    void give_back(std::span<const Item> grants);

    Core& core_;
    Writer& writer_;
};

}  // namespace belfry::queue_sqlite
