// SPDX-License-Identifier: Apache-2.0
// The end of a push: nothing of it is left to do.
//
// Threads: [any].
#pragma once

#include <set>

#include "pg/connection.h"

namespace belfry::queue_pg {

// Makes those of the pushes final that have neither items nor later ones, and frees their blobs unless a dead letter
// may still need them. A transaction of its own, after the one that removed something: of two that end at once the
// later one sees what both left.
void close_finished(pg::Connection& connection, const std::set<int64_t>& pushes, pg::Deadline deadline);

}  // namespace belfry::queue_pg
