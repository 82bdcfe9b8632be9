// SPDX-License-Identifier: Apache-2.0
// The tables of the storage, and their versions.
#pragma once

#include <span>

#include "pg/migrate.h"

namespace belfry::storage_pg {

inline constexpr const char* kComponent = "storage_pg";
std::span<const pg::Migration> migrations();

// A sequence value stands for a block of that many device sequences, handed out by one process.
inline constexpr int64_t kSequenceBlock = 1000;

}  // namespace belfry::storage_pg
