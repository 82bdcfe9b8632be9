// SPDX-License-Identifier: Apache-2.0
// The end of a push: a transaction of its own, behind the one that took its last item away.
//
// Threads: [any].
#pragma once

#include "queue_redis/core.h"

namespace belfry::queue_redis {

// Closes a push of the set `closing` if there is still nothing left of it; otherwise it stays there for upkeep.
void close_if_ended(Core& core, redis::Connection& connection, int64_t push, redis::Deadline deadline);

}  // namespace belfry::queue_redis
