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

class Results {
public:
    explicit Results(Core& core) : core_(core) {}

    std::vector<PushView> lookup(belfry_str app, belfry_list uids);
    // Writes the cursor for the next call, empty at the end.
    std::vector<PushView> list(belfry_str app, int32_t state, belfry_str cursor, uint32_t limit, char next_cursor[64]);

private:
    PushTable::Look pushes_of(uint32_t app, int32_t state, int64_t below, size_t limit);
    PushView view_of(const Push& push, bool with_items);
    PushView view_of(const BundleRow& row, size_t member);

    Core& core_;
};

}  // namespace belfry::queue_sqlite
