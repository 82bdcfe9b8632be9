// SPDX-License-Identifier: Apache-2.0
// Pushes as lookup and list show them, and the pages of a list that merges whole pushes with members of bundles.
//
// Threads: [any]; values.
#pragma once

#include <belfry/queue.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "queue/counters.h"

namespace belfry::queue_parts {

inline constexpr size_t kListMax = 1000;  // rows of one list call

// A belfry_push_row with the bytes it points to.
struct PushView {
    uint32_t index = 0;
    int32_t state = 0, lane = 0;
    bool planned_final = false;
    uint32_t live_items = 0;
    int64_t created_unix_ms = 0, send_at_unix_ms = 0, expires_unix_ms = 0, finished_unix_ms = 0;
    int64_t range_left = 0, body = 0;
    std::string app, uid;
    Counters counters;
    int64_t id = 0, member = -1;  // its place in a list: newest first
};

void emit_views(const std::vector<PushView>& views, belfry_emit emit, void* ctx);

// Where a list goes on: below (id, member).
struct ListPosition {
    int64_t id = std::numeric_limits<int64_t>::max();
    int64_t member = std::numeric_limits<int64_t>::max();
};
// Throws Refused: BAD_REQUEST.
ListPosition parse_cursor(std::string_view cursor);
// Sorts newest first and keeps at most `want` rows, none older than id `complete_to` (0: all of them are known).
// Answers the cursor of the next page; empty at the end.
std::string cut_list(std::vector<PushView>& views, size_t want, int64_t complete_to);

}  // namespace belfry::queue_parts
