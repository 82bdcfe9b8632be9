// SPDX-License-Identifier: Apache-2.0
// page: applies checkpoints, all of a call in one script. Each is checked before anything of it is written, so
// that it is applied as a whole or not at all.
//
// Threads: [any].  Owner: RedisQueue.
#pragma once

#include <belfry/queue.h>

#include <belfry/abi.hpp>
#include <map>
#include <string>
#include <vector>

#include "queue_redis/turn.h"

namespace belfry::queue_redis {

// The answer to one checkpoint with the room its list needs.
struct PagedAnswer {
    belfry_code code = BELFRY_OK;
    uint32_t live_items = 0;
    std::vector<belfry_ref> mine;
};

class Pages {
public:
    explicit Pages(Core& core) : core_(core) {}

    std::vector<PagedAnswer> page(uint64_t node, Rows<belfry_checkpoint> checkpoints);

private:
    Core& core_;
};

// One try at the transaction of a call.
class PageTurn {
public:
    PageTurn(Core& core, redis::Connection& connection, redis::Deadline deadline, uint64_t node, uint32_t epoch)
        : core_(core), turn_(core, connection, deadline), node_(node), epoch_(epoch) {}

    std::vector<PagedAnswer> run(Rows<belfry_checkpoint> checkpoints);

private:
    using Request = std::pair<uint64_t, int64_t>;  // request, item

    using Work = Turn::Work;

    void load(Rows<belfry_checkpoint> checkpoints);
    void load_replies(Rows<belfry_checkpoint> checkpoints);
    PagedAnswer answer_to(const belfry_checkpoint& checkpoint);
    // Null: the item is not this node's to change.
    Work* owned(const belfry_checkpoint& checkpoint);
    // What keeps the checkpoint from being applied; empty: nothing.
    std::string_view damage_of(const belfry_checkpoint& checkpoint, const Work& work);
    void remember();
    void remember_again(int64_t id, const PagedAnswer& answer);

    // pages.cpp
    PagedAnswer apply_to_push(const belfry_checkpoint& checkpoint, Work& work);
    void advance(const belfry_checkpoint& checkpoint, Push& push, Item& item);
    void owe(const belfry_owed& owed, int64_t blob, uint32_t index, Push& push, PagedAnswer& answer);
    belfry_code move_on(const belfry_checkpoint& checkpoint, Push& push, Work& work);

    // bundle_pages.cpp
    PagedAnswer apply_to_bundle(const belfry_checkpoint& checkpoint, Work& work);
    void owe_members(const belfry_checkpoint& checkpoint, Bundle& bundle, const Work& work, PagedAnswer& answer);

    Core& core_;
    Turn turn_;
    const uint64_t node_;
    const uint32_t epoch_;                    // of lists born held
    std::set<int64_t> changed_;               // items
    std::map<Request, PagedAnswer> replies_;  // to what was applied before
    std::vector<int64_t> mine_;
};

}  // namespace belfry::queue_redis
