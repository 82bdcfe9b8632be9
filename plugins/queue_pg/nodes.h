// SPDX-License-Identifier: Apache-2.0
// Nodes: signs of life, who is dead, and what the dead held.
//
// Threads: [any].  Owner: PgQueue.
#pragma once

#include <belfry/queue.h>

#include <mutex>
#include <set>
#include <vector>

#include "queue/silence.h"
#include "queue_pg/turn.h"

namespace belfry::queue_pg {

class Nodes {
public:
    Nodes(Core& core, int64_t home) : core_(core), home_(home), silence_(core.config.lease_ms()) {}

    // Ends what an earlier process of this home left behind: its sessions, its nodes, its claims.
    void take_over();
    // What this process holds goes back without counting as a crash.
    void leave() noexcept;

    // Throws Refused: FENCED for a node that was taken for dead.
    void beat(uint64_t node, belfry_pulse& pulse);
    // Makes a node known before it holds anything: what nobody knows cannot be taken for dead.
    void know(uint64_t node);
    // Marks nodes that gave no sign of life for a lease as dead and takes back up to a portion of what dead ones held.
    // True: there is more.
    bool reap(uint64_t observer);
    // What the database says this node holds and the node does not know of.
    void put_back_orphans(uint64_t node);

private:
    bool take_back_portion();

    Core& core_;
    const int64_t home_;
    std::mutex mutex_;
    std::set<uint64_t> known_;
    Silence silence_;
};

}  // namespace belfry::queue_pg
