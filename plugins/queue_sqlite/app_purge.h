// SPDX-License-Identifier: Apache-2.0
// purge_app: everything of one app goes, whatever state it is in, in small steps. Who holds work of it is fenced.
//
// Threads: step is the writer's.  Owner: Queue.
#pragma once

#include <cstdint>
#include <string_view>

#include "movements.h"

namespace belfry::queue_sqlite {

class AppPurge {
public:
    AppPurge(Core& core, Movements& movements) : core_(core), movements_(movements) {}

    struct Progress {
        int64_t bundles_to = 0;  // all bundles up to here were looked through
        bool more = false;
    };
    // One step inside a transaction, from where an earlier one ended: at most `limit` pushes, or some bundles.
    Progress step(std::string_view app, uint32_t limit, int64_t bundles_after);

private:
    Core& core_;
    Movements& movements_;
};

}  // namespace belfry::queue_sqlite
