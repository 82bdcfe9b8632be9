// SPDX-License-Identifier: Apache-2.0
// lookup and list: pushes as their result rows show them, packed ones alike.
//
// Threads: [any].  Owner: PgQueue.
#pragma once

#include <belfry/queue.h>

#include <belfry/abi.hpp>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "queue/views.h"
#include "queue_pg/core.h"
#include "queue_pg/rows.h"

namespace belfry::queue_pg {

// Counters and samples of pushes, by id.
std::map<int64_t, Counters> read_counters(pg::Connection& connection, const std::vector<int64_t>& ids,
                                          pg::Deadline deadline);

class Results {
public:
    explicit Results(Core& core) : core_(core) {}

    std::vector<PushView> lookup(std::string_view app, Rows<belfry_str> uids);
    // Answers the cursor of the next page.
    std::string list(std::string_view app, int32_t state, std::string_view cursor, uint32_t limit,
                     std::vector<PushView>& views);

private:
    Core& core_;
};

}  // namespace belfry::queue_pg
