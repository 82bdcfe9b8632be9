// SPDX-License-Identifier: Apache-2.0
// enqueue: uids are taken, small pushes packed into bundles, the others stored with their items; one script for what
// the host sends at once, answered when the server has written it to its append-only file.
//
// Threads: [any]; two calls that bring the same uid race, and the loser looks again.  Owner: RedisQueue.
#pragma once

#include <belfry/queue.h>

#include <belfry/abi.hpp>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "queue_redis/backlog.h"
#include "queue_redis/turn.h"

namespace belfry::queue_redis {

class Intake {
public:
    Intake(Core& core, Backlog& backlog) : core_(core), backlog_(backlog) {}

    std::vector<belfry_enqueued> enqueue(Rows<belfry_new_push> pushes);

private:
    Core& core_;
    Backlog& backlog_;
};

}  // namespace belfry::queue_redis
