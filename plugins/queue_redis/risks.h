// SPDX-License-Identifier: Apache-2.0
// What a queue needs of its server, looked at when it starts.
//
// Threads: [control].
#pragma once

#include "queue_redis/core.h"

namespace belfry::queue_redis {

// Throws Refused: CONFIG for a server that would lose acknowledged pushes in ordinary life, RETRY_LATER for one that is
// a replica now; warns of what an operator should know.
void check_server(Core& core);

}  // namespace belfry::queue_redis
