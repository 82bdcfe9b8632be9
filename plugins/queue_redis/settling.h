// SPDX-License-Identifier: Apache-2.0
// Items follow the state of their push: parked while it is paused, claimable whatever their gate once it is stopped, in
// the lane it moved to. The state is committed first, with the push in the set `restless`; then this, in portions. A
// claim or page in between sees the state and acts on it, and upkeep finishes what a crash cut off.
//
// Threads: [any].
#pragma once

#include "queue_redis/core.h"

namespace belfry::queue_redis {

void settle(Core& core, redis::Connection& connection, int64_t push, redis::Deadline deadline);

}  // namespace belfry::queue_redis
