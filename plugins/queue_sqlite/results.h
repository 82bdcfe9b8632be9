// SPDX-License-Identifier: Apache-2.0
// lookup and list: pushes as their result rows show them, packed ones alike.
//
// Threads: the writer's, between transactions.  Owner: Queue.
#pragma once

#include <belfry/queue.h>

#include <string>
#include <vector>

#include "core.h"

namespace belfry::queue_sqlite {

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

class Results {
public:
    static constexpr size_t kListMax = 1000;

    explicit Results(Core& core) : core_(core) {}

    std::vector<PushView> lookup(belfry_str app, belfry_list uids);
    // Writes the cursor for the next call, empty at the end.
    std::vector<PushView> list(belfry_str app, int32_t state, belfry_str cursor, uint32_t limit, char next_cursor[64]);

private:
    PushView view_of(const Push& push, bool with_items);
    PushView view_of(const BundleRow& row, size_t member);

    Core& core_;
};

void emit_views(const std::vector<PushView>& views, belfry_emit emit, void* ctx);

}  // namespace belfry::queue_sqlite
