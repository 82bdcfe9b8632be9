// SPDX-License-Identifier: Apache-2.0
// The plugin's entry; the C face of the queue is the SDK's.
#include "queue_redis/queue.h"

BELFRY_PLUGIN("queue_redis", "0.1.0", belfry::component<belfry::queue_redis::RedisQueue>("queue_redis"));
