// SPDX-License-Identifier: Apache-2.0
// What happens without anybody asking: due work becomes claimable, pushes expire, items of dead nodes come back, what
// is too old is deleted. In small steps, so that no transaction of it is long.
//
// Threads: step and the rest are the writer's.  Owner: Queue.
#pragma once

#include "movements.h"
#include "nodes.h"

namespace belfry::queue_sqlite {

class Upkeep {
public:
    static constexpr size_t kRowsPerStep = 250;

    Upkeep(Core& core, Movements& movements) : core_(core), movements_(movements) {}

    // One step inside a transaction; true: there is more to do now.
    bool step();
    // What a step did was rolled back.
    void look_again() noexcept {
        looked_to_ = {};
        purged_unix_ms_ = 0;
    }
    // Takes back what these nodes hold, counting a crash; poison is buried.
    void reap(const std::vector<uint64_t>& nodes);
    // Gives free pages back to the file system, between transactions, if there are many.
    void shrink();
    // When to call again.
    uint32_t next_ms();
    // Counts one more unclean end of an owner; at the limit the item is buried, answered by true.
    bool count_crash(Item& item);

private:
    bool expire(int64_t now);
    bool move_due(int64_t now);
    bool sweep_stopped();
    bool purge(int64_t now);
    // Finished pushes without dead letters; those with some go with their last one. True: there are more.
    bool purge_pushes(int64_t finished_before);
    void purge_push(int64_t id);
    void purge_bundle(int64_t id);
    void purge_dead(const DeadRow& row, int64_t finished_before);
    // Makes later rows claimable, lists of one push and attempt merged. False: time was up before the end.
    bool move(std::vector<Later> rows);
    void move_group(std::vector<Later>& group);

    Core& core_;
    Movements& movements_;
    int64_t purged_unix_ms_ = 0;
    PushTable::Finished looked_to_;  // by purge_pushes
};

}  // namespace belfry::queue_sqlite
