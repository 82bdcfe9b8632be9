// SPDX-License-Identifier: Apache-2.0
// PERF-10: reads a topic of a million members through the storage ABI, page by page, and in turn with one bare ordered
// SELECT of the same index. Prints one line of JSON; `ratio` is what the claim is about (floor 0.6, goal 0.75). Rates
// need an otherwise idle machine; CPU time per row (cpu_ratio) stays meaningful on a busy one.
//
// perf10_fanout_read STORAGE_SQLITE.so [MEMBERS] [PAGE] [DIRECTORY]: DIRECTORY keeps the database for the next run.
#include <sqlite3.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "fanout_read.h"

namespace {

using namespace belfry::bench;

Cost scan_bare(const std::string& path, Sum* sum) {
    sqlite3* database = nullptr;
    if (sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr) != SQLITE_OK) {
        throw std::runtime_error("cannot open " + path);
    }
    sqlite3_exec(database, "PRAGMA cache_size=-2048; PRAGMA mmap_size=0", nullptr, nullptr, nullptr);
    sqlite3_stmt* statement = nullptr;
    const char* sql =
        "SELECT key, traits, token FROM subscription WHERE topic = (SELECT id FROM topic WHERE name = 'news') "
        "ORDER BY key";
    if (sqlite3_prepare_v2(database, sql, -1, &statement, nullptr) != SQLITE_OK)
        throw std::runtime_error(sqlite3_errmsg(database));
    const Stopwatch watch;
    while (sqlite3_step(statement) == SQLITE_ROW) {
        const auto* token = static_cast<const unsigned char*>(sqlite3_column_blob(statement, 2));
        sum->bytes += static_cast<uint64_t>(sqlite3_column_int64(statement, 0)) +
                      static_cast<uint64_t>(sqlite3_column_int64(statement, 1)) + token[0] +
                      static_cast<uint64_t>(sqlite3_column_bytes(statement, 2));
        ++sum->rows;
    }
    const Cost cost = watch.stop();
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return cost;
}

int run(const std::string& plugin, size_t members, uint32_t page, const std::string& directory) {
    const std::string config = "{\"path\":\"" + directory + "/storage.db\"}";
    const bool is_new = !std::filesystem::exists(directory + "/storage.db");
    Cost registered;
    if (is_new) {
        Opened opened(plugin, directory, config);
        registered = register_members(opened, members);
    }
    Opened opened(plugin, directory, config);
    Cost abi;
    Cost bare;
    for (int i = 0; i < kRounds; ++i) {
        Sum through_abi;
        Sum by_select;
        abi.best_of(scan_through_abi(opened, page, &through_abi));
        bare.best_of(scan_bare(directory + "/storage.db", &by_select));
        if (through_abi.rows != members || by_select.rows != members) throw std::runtime_error("rows are missing");
    }
    report("perf10_fanout_read", members, page, abi, bare, registered.wall_s < 1e9 ? registered.wall_s : 0);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: %s STORAGE_SQLITE.so [MEMBERS] [PAGE] [DIRECTORY]\n", argv[0]);
        return 2;
    }
    const size_t members = argc > 2 ? std::strtoull(argv[2], nullptr, 10) / kBatch * kBatch : 1000000;
    const auto page = static_cast<uint32_t>(argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 1000);
    std::string directory =
        argc > 4 ? argv[4] : (std::filesystem::temp_directory_path() / "belfry-perf10-XXXXXX").string();
    if (argc <= 4 && ::mkdtemp(directory.data()) == nullptr) return 1;
    int result = 1;
    try {
        result = run(argv[1], members, page, directory);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "perf10: %s\n", error.what());
    }
    std::error_code ignored;
    if (argc <= 4) std::filesystem::remove_all(directory, ignored);
    return result;
}
