// SPDX-License-Identifier: Apache-2.0
#include "pg/migrate.h"

#include <pqxx/pqxx>

namespace belfry::pg {

namespace {

// One lock for all our migrations of a database; any fixed number will do.
constexpr int64_t kLock = 0x42454c46'52590001;

bool has(pqxx::transaction_base& work, const char* query, const std::string& name) {
    return !work.exec_params(query, name).empty();
}

void ensure_schema(pqxx::work& work, const std::string& schema) {
    // CREATE ... IF NOT EXISTS asks for the right to create even if there is nothing to do.
    if (!has(work, "SELECT 1 FROM pg_namespace WHERE nspname = $1", schema))
        work.exec0("CREATE SCHEMA " + work.quote_name(schema));
    work.exec0("SET LOCAL search_path = " + work.quote_name(schema));
    if (!has(work, "SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = 'version'", schema))
        work.exec0("CREATE TABLE version (component text PRIMARY KEY, version int NOT NULL)");
}

int stored_version(pqxx::work& work, const char* component) {
    const pqxx::result rows = work.exec_params("SELECT version FROM version WHERE component = $1", component);
    return rows.empty() ? 0 : rows[0][0].as<int>();
}

// One transaction under the lock: another node may have done the step meanwhile.
void run_step(pqxx::connection& connection, const std::string& schema, const char* component, const Migration& step) {
    pqxx::work work(connection);
    work.exec0("SET LOCAL lock_timeout = '30s'");
    work.exec_params("SELECT pg_advisory_xact_lock($1)", kLock);
    // A table in use is waited for a moment only: an ALTER that waits holds up everybody behind it.
    work.exec0("SET LOCAL lock_timeout = '5s'");
    ensure_schema(work, schema);
    if (stored_version(work, component) >= step.version) return;
    work.exec(step.sql);
    work.exec_params0(
        "INSERT INTO version VALUES ($1, $2) ON CONFLICT (component) DO UPDATE SET version = excluded.version",
        component, step.version);
    work.commit();
}

void refuse_newer(pqxx::connection& connection, const std::string& schema, const char* component, int newest) {
    pqxx::work work(connection);
    work.exec0("SET LOCAL search_path = " + work.quote_name(schema));
    const int version = stored_version(work, component);
    if (version <= newest) return;
    throw Refused(BELFRY_CONFIG, "dsn",
                  "the tables of " + std::string(component) + " in schema " + schema + " have version " +
                      std::to_string(version) + ", this binary knows " + std::to_string(newest) +
                      ": start the newer binary");
}

}  // namespace

void migrate(const Address& address, const char* component, std::span<const Migration> steps) {
    try {
        pqxx::connection connection(address.text());
        {
            pqxx::nontransaction work(connection);
            work.exec0("SET client_min_messages = warning");
        }
        for (const Migration& step : steps) run_step(connection, address.schema, component, step);
        refuse_newer(connection, address.schema, component, steps.back().version);
    } catch (const pqxx::sql_error& error) {
        throw Failure(error.sqlstate(), error.what());
    } catch (const pqxx::failure& error) {
        throw connect_failure(address.name(), error.what());
    }
}

}  // namespace belfry::pg
