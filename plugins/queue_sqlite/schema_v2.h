// SPDX-License-Identifier: Apache-2.0
// The part of the step to schema 2 that takes more than SQL. Reads what version 1 wrote; like every published step it
// is never edited for later formats.
//
// Threads: [control], inside the migration's transaction.
#pragma once

#include "sqlite/database.h"

namespace belfry::queue_sqlite {

// From uid_1 (a row per uid with its fingerprint) to uid, and fingerprints to where they belong.
void convert_to_version_2(sqlite::Database& database);

}  // namespace belfry::queue_sqlite
