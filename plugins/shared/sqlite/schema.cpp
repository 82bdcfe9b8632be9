// SPDX-License-Identifier: Apache-2.0
#include "sqlite/schema.h"

#include <string>

namespace belfry::sqlite {

namespace {

void refuse_strangers(Database& database, const Component& component) {
    const std::string found = database.value("PRAGMA application_id");
    if (found == std::to_string(static_cast<int32_t>(component.application_id))) return;
    const bool empty = database.value("SELECT count(*) FROM sqlite_schema") == "0";
    if (found == "0" && empty) return;
    throw Failure(BELFRY_CONFIG,
                  database.path() + " is not a file of " + std::string(component.name) + "; choose another path",
                  "path");
}

int stored_version(Database& database) {
    if (database.value("SELECT count(*) FROM sqlite_schema WHERE name = 'belfry_schema'") == "0") return 0;
    return std::stoi("0" + database.value("SELECT max(version) FROM belfry_schema"));
}

}  // namespace

int migrate(Database& database, const Component& component, std::span<const Migration> steps) {
    refuse_strangers(database, component);
    const int before = stored_version(database);
    const int known = steps.empty() ? 0 : steps.back().version;
    if (before > known) {
        throw Failure(BELFRY_CONFIG,
                      database.path() + " has schema " + std::to_string(before) + ", this " +
                          std::string(component.name) + " knows up to " + std::to_string(known) +
                          "; start a newer version, or restore a backup made before the upgrade",
                      "path");
    }
    for (const Migration& step : steps) {
        if (step.version <= before) continue;
        Transaction transaction(database);
        if (step.version == 1) {
            database.execute("PRAGMA application_id=" + std::to_string(static_cast<int32_t>(component.application_id)));
            database.execute(
                "CREATE TABLE belfry_schema (version INTEGER PRIMARY KEY, applied_unix_s INTEGER NOT NULL DEFAULT "
                "(unixepoch())) STRICT");
        }
        database.execute(step.sql);
        if (step.convert != nullptr) step.convert(database);
        database.prepare("INSERT INTO belfry_schema (version) VALUES (?1)").with(step.version).run();
        transaction.commit();
    }
    return before;
}

}  // namespace belfry::sqlite
