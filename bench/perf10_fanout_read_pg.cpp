// SPDX-License-Identifier: Apache-2.0
// PERF-10 on PostgreSQL: a topic of a million members through the storage ABI, page by page, and in turn one bare
// ordered SELECT of the same index, binary and row by row. Prints one line of JSON.
//
// perf10_fanout_read_pg STORAGE_PG.so DSN [MEMBERS] [PAGE]: DSN names an empty database.
#include <libpq-fe.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "fanout_read.h"

namespace {

using namespace belfry::bench;

struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
};
using Connection = std::unique_ptr<PGconn, Finish>;

Connection connected(const std::string& dsn) {
    Connection connection(PQconnectdb(dsn.c_str()));
    if (PQstatus(connection.get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(connection.get()));
    return connection;
}

void run_sql(PGconn* connection, const char* sql) {
    PGresult* result = PQexec(connection, sql);
    const bool good = PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK;
    PQclear(result);
    if (!good) throw std::runtime_error(PQerrorMessage(connection));
}

Cost scan_bare(PGconn* connection, Sum* sum) {
    const Stopwatch watch;
    const char* sql =
        "SELECT key, variant, provider, platform, timezone, locale, token, data FROM belfry.subscription "
        "WHERE topic = (SELECT id FROM belfry.topic WHERE name = 'news') ORDER BY key";
    if (PQsendQueryParams(connection, sql, 0, nullptr, nullptr, nullptr, nullptr, 1) != 1 ||
        PQsetSingleRowMode(connection) != 1)
        throw std::runtime_error(PQerrorMessage(connection));
    while (PGresult* row = PQgetResult(connection)) {
        if (PQresultStatus(row) == PGRES_SINGLE_TUPLE) {
            sum->bytes += static_cast<uint64_t>(PQgetlength(row, 0, 6)) +
                          static_cast<unsigned char>(PQgetvalue(row, 0, 6)[0]) +
                          static_cast<uint64_t>(PQgetlength(row, 0, 2));
            ++sum->rows;
        }
        PQclear(row);
    }
    return watch.stop();
}

int run(const std::string& plugin, const std::string& dsn, size_t members, uint32_t page) {
    Opened opened(plugin, (std::filesystem::temp_directory_path() / "belfry-perf10-pg").string(),
                  "{\"dsn\":\"" + dsn + "\"}");
    const Cost registered = register_members(opened, members);
    const Connection connection = connected(dsn);
    // As autovacuum leaves it: all pages visible, so that neither side visits the heap.
    run_sql(connection.get(), "VACUUM ANALYZE belfry.subscription");
    run_sql(connection.get(), "SET enable_seqscan = off; SET enable_bitmapscan = off");
    Cost abi;
    Cost bare;
    for (int i = 0; i < kRounds; ++i) {
        Sum through_abi;
        Sum by_select;
        abi.best_of(scan_through_abi(opened, page, &through_abi));
        bare.best_of(scan_bare(connection.get(), &by_select));
        if (through_abi.rows != members || by_select.rows != members) throw std::runtime_error("rows are missing");
    }
    report("perf10_fanout_read_pg", members, page, abi, bare, registered.wall_s);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: %s STORAGE_PG.so DSN [MEMBERS] [PAGE]\n", argv[0]);
        return 2;
    }
    const size_t members = argc > 3 ? std::strtoull(argv[3], nullptr, 10) / kBatch * kBatch : 1000000;
    const auto page = static_cast<uint32_t>(argc > 4 ? std::strtoul(argv[4], nullptr, 10) : 1000);
    try {
        return run(argv[1], argv[2], members, page);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "perf10: %s\n", error.what());
        return 1;
    }
}
