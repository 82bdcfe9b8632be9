// SPDX-License-Identifier: Apache-2.0
// Finds what uids stand for: a push, or a member of a bundle.
//
// Threads: [any].
#pragma once

#include <belfry/queue.h>

#include <belfry/abi.hpp>
#include <vector>

#include "pg/connection.h"

namespace belfry::queue_pg {

struct Ref {
    int64_t ref = 0;      // push or bundle; 0: unknown
    int32_t member = -1;  // index in the bundle; -1: ref is a push
};

// One per uid, in order.
std::vector<Ref> find_refs(pg::Connection& connection, uint32_t app, Rows<belfry_str> uids, pg::Deadline deadline);

}  // namespace belfry::queue_pg
