// SPDX-License-Identifier: Apache-2.0
// The ABI's row of a claimed item, with what its push or its members add to the item's own facts.
//
// Threads: [any]. Owner: whoever answers a claim; what it is made of outlives it.
#pragma once

#include <belfry/queue.h>
#include <belfry/abi.hpp>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "queue/bundle.h"
#include "queue/items.h"

namespace belfry::queue_parts {

// Of the push that an item belongs to.
struct ClaimedPush {
    int32_t state = 0;
    uint32_t live_items = 0, weight = 1;
    int64_t id = 0, body = 0, created_unix_ms = 0, expires_unix_ms = 0;
    std::string_view app, uid;
};

class ClaimedRow {
public:
    // A slice or a list; `content`: a list's entries.
    template <class Item>
    ClaimedRow(const Item& item, const ClaimedPush& push, std::string_view content, int64_t now_unix_ms)
        : row_(claimed_of(item)) {
        row_.blob = static_cast<uint64_t>(item.blob);
        fill_push(push, now_unix_ms);
        if (item.kind == BELFRY_WORK_LIST) fill_entries(item.flags, content);
    }
    // A bundle; `content`: its members. Throws CORRUPT.
    template <class Item>
    ClaimedRow(const Item& item, std::span<const Mark> marks, std::string_view content, int64_t now_unix_ms)
        : row_(claimed_of(item)) {
        fill_members(marks, content, now_unix_ms);
    }
    const belfry_claimed& row() const noexcept { return row_; }

private:
    void fill_push(const ClaimedPush& push, int64_t now_unix_ms);
    void fill_entries(uint32_t flags, std::string_view content);
    void fill_members(std::span<const Mark> marks, std::string_view content, int64_t now_unix_ms);

    belfry_claimed row_;
    std::vector<belfry_member> members_;
};

}  // namespace belfry::queue_parts
