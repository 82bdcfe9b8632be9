// SPDX-License-Identifier: Apache-2.0
// Moves what is due from the later items to the shelves.
//
// Threads: [any].
#pragma once

#include "queue_redis/core.h"

namespace belfry::queue_redis {

// One portion. True: there is more.
bool move_due(Core& core, int64_t now);

}  // namespace belfry::queue_redis
