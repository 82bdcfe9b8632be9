// SPDX-License-Identifier: Apache-2.0
// For tests: a queue in memory behind its adapter. Threads: as the queue's. Owner: a test.
#pragma once

#include "base/clock.h"
#include "fakes/memory_queue.h"
#include "plugins/queue.h"

namespace belfry::delivery {

struct QueueRig {
    SystemClock clock;
    fakes::MemoryQueue memory{clock};
    plugins::Faults faults{"queue"};
    plugins::Queue queue{memory.table(), memory.instance(), faults};
};

}  // namespace belfry::delivery
