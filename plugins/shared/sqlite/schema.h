// SPDX-License-Identifier: Apache-2.0
// Brings a file's tables to the version this binary knows, step by step, and refuses files it must not touch.
//
// Threads: [control], at start, on the writer.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "sqlite/database.h"

namespace belfry::sqlite {

// One step: the SQL that leads from version - 1 to version, and what SQL alone cannot do, afterwards in the same
// transaction. Published steps are never edited.
struct Migration {
    int version;
    const char* sql;
    void (*convert)(Database&) = nullptr;
};

// What a file belongs to, so that a queue is never opened as a storage.
struct Component {
    std::string_view name;    // "storage_sqlite"
    uint32_t application_id;  // PRAGMA application_id of its files
};

// Runs the missing steps, each in its own transaction, and returns the version found before (0: a new file).
// Fails: CONFIG for a newer schema than the last step's or a file of something else, and what SQL fails with.
int migrate(Database& database, const Component& component, std::span<const Migration> steps);

}  // namespace belfry::sqlite
