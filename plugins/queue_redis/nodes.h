// SPDX-License-Identifier: Apache-2.0
// Nodes: signs of life, who is dead, and what the dead held.
//
// Threads: [any].  Owner: RedisQueue.
#pragma once

#include <belfry/queue.h>

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "queue/silence.h"
#include "queue_redis/turn.h"

namespace belfry::queue_redis {

class Nodes {
public:
    Nodes(Core& core, int64_t home) : core_(core), home_(hex(static_cast<uint64_t>(home))) {}

    // Takes back what an earlier process of this home held. What that process sent last and the server has not read yet
    // changes nothing any more: claims ask whether their node lives, everything else is bound to what it read.
    void take_over();
    // What this process holds goes back without counting as a crash.
    void leave() noexcept;

    // Throws Refused: FENCED for a node that was taken for dead.
    void beat(uint64_t node, belfry_pulse& pulse);
    // Makes a node known before it holds anything.
    void know(uint64_t node);
    // Marks nodes without a sign of life as dead and takes back up to a portion of what dead ones held. True: there is
    // more.
    bool reap(uint64_t observer);
    // What the server says this node holds and the node does not know of.
    void put_back_orphans(uint64_t node);

private:
    struct Row {
        uint64_t node = 0;
        std::string text, home;
        int64_t seen_unix_ms = 0;
        bool is_dead = false;
    };
    struct Look {
        int64_t now = 0;
        std::vector<Row> rows;
    };
    Look look(redis::Connection& connection, redis::Deadline deadline) const;
    static Silence::Signs signs_of_others(const Look& look, uint64_t observer);
    void declare_dead(redis::Connection& connection, const Row& row, redis::Deadline deadline) const;
    bool take_back(redis::Connection& connection, uint64_t node, redis::Deadline deadline) const;
    bool take_back_portion(redis::Connection& connection, redis::Deadline deadline) const;
    void forget_old(redis::Connection& connection, const Look& look, redis::Deadline deadline) const;
    void give_back_all(redis::Connection& connection, uint64_t node, const Ids& ids, redis::Deadline deadline) const;
    bool is_orphan(uint64_t node, const Item& item) const;
    // Those that are orphans in the very rows that are written over: any of them may be claimed again at any time.
    void put_back(redis::Connection& connection, uint64_t node, const Ids& ids, redis::Deadline deadline) const;

    Core& core_;
    const std::string home_;
    std::mutex mutex_;
    std::set<uint64_t> known_;
    Silence silence_{core_.config.lease_ms()};
};

}  // namespace belfry::queue_redis
