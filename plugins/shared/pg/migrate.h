// SPDX-License-Identifier: Apache-2.0
// The tables of a plugin and their versions, brought up to date at start by whichever node comes first. Nothing here is
// hot, so it speaks libpqxx.
//
// Threads: [control].
#pragma once

#include <span>

#include "pg/connection.h"

namespace belfry::pg {

struct Migration {
    int version;      // 1, 2, ...
    const char* sql;  // one transaction; other nodes go on meanwhile, so it takes no lock for longer than a moment
};

// Creates the schema and runs what is missing, each step in a transaction of its own, under an advisory lock: nodes
// that start together wait for each other. Throws Refused: CONFIG if the tables are newer than this binary or rights
// are missing, RETRY_LATER if a lock could not be had.
void migrate(const Address& address, const char* component, std::span<const Migration> steps);

}  // namespace belfry::pg
