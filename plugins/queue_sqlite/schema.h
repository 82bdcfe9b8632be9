// SPDX-License-Identifier: Apache-2.0
// The tables of a queue file.
//
// Threads: [control], at start.
#pragma once

#include "sqlite/database.h"

namespace belfry::queue_sqlite {

// Brings the file to the newest version. Throws CONFIG for a newer or foreign file.
void prepare_schema(sqlite::Database& database);

}  // namespace belfry::queue_sqlite
