// SPDX-License-Identifier: Apache-2.0
// stats: how much there is of what. Everything is counted where it changes, so a call costs a few reads.
//
// Threads: [any].
#pragma once

#include <belfry/queue.h>

#include "queue_redis/core.h"

namespace belfry::queue_redis {

void read_stats(Core& core, belfry_queue_stats& stats);

}  // namespace belfry::queue_redis
