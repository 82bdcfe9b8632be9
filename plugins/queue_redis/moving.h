// SPDX-License-Identifier: Apache-2.0
// Dump and load: everything of the queue as records (queue/record.h), and back.
//
// Threads: [any].  Owner: RedisQueue.
#pragma once

#include <belfry/queue.h>
#include <belfry/abi.hpp>

#include <string>
#include <string_view>

#include "queue/dump_page.h"
#include "queue_redis/core.h"

namespace belfry::queue_redis {

class Moving {
public:
    explicit Moving(Core& core) : core_(core) {}

    // Fills the page; answers the cursor of the next one, empty at the end.
    std::string dump(std::string_view cursor, queue_parts::DumpPage& page);
    // What is known already stays as it is. Throws BAD_REQUEST that names the record, CONFLICT for a number that
    // something else has.
    void load(Rows<belfry_str> records);

private:
    Core& core_;
};

}  // namespace belfry::queue_redis
