// SPDX-License-Identifier: Apache-2.0
// dead and replay: work that was given up, kept with its reason.
//
// Threads: the writer's.  Owner: Queue.
#pragma once

#include <belfry/queue.h>

#include <vector>

#include "movements.h"

namespace belfry::queue_sqlite {

class DeadLetters {
public:
    static constexpr size_t kListMax = 1000;

    DeadLetters(Core& core, Movements& movements) : core_(core), movements_(movements) {}

    struct View {
        DeadRow row;
        std::string app, uid;
    };
    std::vector<View> list(belfry_str app, belfry_str uid, uint64_t after, uint32_t limit);
    uint32_t replay(belfry_str app, belfry_list ids, bool ignore_expiry);

private:
    Core& core_;
    Movements& movements_;
};

void emit_dead(const std::vector<DeadLetters::View>& views, belfry_emit emit, void* ctx);

}  // namespace belfry::queue_sqlite
