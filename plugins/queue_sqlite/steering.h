// SPDX-License-Identifier: Apache-2.0
// steer: cancels, pauses and resumes pushes by uid, bundled ones too.
//
// Threads: the writer's.  Owner: Queue.
#pragma once

#include <belfry/queue.h>

#include "movements.h"

namespace belfry::queue_sqlite {

class Steering {
public:
    Steering(Core& core, Movements& movements) : core_(core), movements_(movements) {}

    void steer(belfry_str app, belfry_list uids, int32_t verb, std::vector<belfry_steered>& answers);

private:
    belfry_steered steer_one(uint32_t app, std::string_view uid, int32_t verb);
    belfry_steered steer_push(Push& push, int32_t verb);
    belfry_steered steer_member(BundleRow& row, uint32_t index, int32_t verb);
    // A paused member leaves its bundle: it becomes a push, with the parked item unless its bundle is being sent.
    bool is_claimed(const BundleRow& row);
    void pause_member(BundleRow& row, uint32_t index);

    Core& core_;
    Movements& movements_;
};

}  // namespace belfry::queue_sqlite
