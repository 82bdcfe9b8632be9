// SPDX-License-Identifier: Apache-2.0
// stats: how much there is of what.
//
// Threads: [any].
#pragma once

#include <belfry/queue.h>

#include "queue_pg/core.h"

namespace belfry::queue_pg {

void read_stats(Core& core, belfry_queue_stats& stats);

}  // namespace belfry::queue_pg
