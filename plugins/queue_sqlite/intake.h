// SPDX-License-Identifier: Apache-2.0
// enqueue: uids are taken, small pushes packed into bundles, the others stored with their items. All of it rides in the
// transaction of the loop; the answers are true once that is committed.
//
// Threads: the writer's.  Owner: Queue.
#pragma once

#include <belfry/queue.h>

#include <map>
#include <utility>
#include <vector>

#include "movements.h"

namespace belfry::queue_sqlite {

class Intake {
public:
    Intake(Core& core, Movements& movements) : core_(core), movements_(movements) {}

    void enqueue(belfry_list pushes, std::vector<belfry_enqueued>& answers);
    // Writes the bundles of the transaction; before its commit.
    void flush();
    void reset() { open_.clear(); }

private:
    struct OpenBundle {
        int64_t id = 0;
        BundleBuilder builder;
    };
    using BundleKey = std::pair<int32_t, uint32_t>;  // lane, gate

    belfry_enqueued enqueue_one(const belfry_new_push& push);
    // OK: the uid is free; take it with uids.add.
    belfry_enqueued look_up(const belfry_new_push& push, uint32_t app);
    Known find(uint32_t app, std::string_view uid);
    void store(const belfry_new_push& push, uint32_t app);
    void store_items(const belfry_new_push& row, Push& push, const std::vector<int64_t>& blobs);
    void pack(const belfry_new_push& push, uint32_t app, const Member& member);
    void write_bundle(const BundleKey& key, OpenBundle& bundle);

    Core& core_;
    Movements& movements_;
    std::map<BundleKey, OpenBundle> open_;
};

}  // namespace belfry::queue_sqlite
