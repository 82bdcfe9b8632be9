// SPDX-License-Identifier: Apache-2.0
// The tables of a storage file, version by version.
//
// Threads: [control].
#pragma once

#include "sqlite/database.h"

namespace belfry::storage {

// Brings the file up to date. Fails: CONFIG for a newer or a foreign file.
void prepare_tables(sqlite::Database& database);

}  // namespace belfry::storage
