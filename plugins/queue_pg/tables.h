// SPDX-License-Identifier: Apache-2.0
// The tables of the queue, and what reads and writes their rows share.
//
// Threads: values.
#pragma once

#include <span>

#include "pg/migrate.h"

namespace belfry::queue_pg {

inline constexpr const char* kComponent = "queue_pg";
// One value of queue_block is this many ids, which a transaction uses up in order.
inline constexpr int64_t kIdsPerBlock = int64_t{1} << 20;
// `shelf` of a claimable item whose push is cancelled or expired: claimed whatever its gate.
inline constexpr int64_t kStoppedShelf = -1;

std::span<const pg::Migration> migrations();

}  // namespace belfry::queue_pg
