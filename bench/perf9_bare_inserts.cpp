// SPDX-License-Identifier: Apache-2.0
// The baseline of PERF-9: what a bare SQLite client reaches that inserts the rows of new devices, in transactions of
// 100 or BATCH, with the tables, indexes and durability of a storage file. It looks nothing up and answers nobody.
//
// perf9_bare_inserts LIKE.db SECONDS [BATCH [ROWS]]: LIKE.db is a storage file whose schema is copied into a fresh file
// beside it; ends after SECONDS or ROWS. Prints rows per second and CPU microseconds per row.
#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Wanted {
    double seconds = 0;
    uint64_t rows_per_transaction = 100, rows = UINT64_MAX;
};

void check(sqlite3* database, int code) {
    if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW)
        throw std::runtime_error(sqlite3_errmsg(database));
}

void run(sqlite3* database, const std::string& sql) {
    check(database, sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr));
}

sqlite3_stmt* prepare(sqlite3* database, const char* sql) {
    sqlite3_stmt* statement = nullptr;
    check(database, sqlite3_prepare_v2(database, sql, -1, &statement, nullptr));
    return statement;
}

void copy_schema(const std::string& like, sqlite3* to) {
    sqlite3* from = nullptr;
    check(from, sqlite3_open_v2(like.c_str(), &from, SQLITE_OPEN_READONLY, nullptr));
    sqlite3_stmt* read =
        prepare(from, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'");
    while (sqlite3_step(read) == SQLITE_ROW) run(to, reinterpret_cast<const char*>(sqlite3_column_text(read, 0)));
    sqlite3_finalize(read);
    sqlite3_close(from);
}

double cpu_now_s() {
    timespec now{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

uint64_t mixed(uint64_t i) {
    uint64_t x = (i + 1) * 0x9e3779b97f4a7c15ULL;
    x ^= x >> 31U;
    x *= 0xbf58476d1ce4e5b9ULL;
    return x ^ (x >> 29U);
}

void insert(sqlite3_stmt* device, sqlite3_stmt* subscription, uint64_t i) {
    char token[200];
    const int length = std::snprintf(token, sizeof token, "ok-%010llu-%0138llu", static_cast<unsigned long long>(i),
                                     static_cast<unsigned long long>(i));
    char user[32];
    std::snprintf(user, sizeof user, "user-%llu", static_cast<unsigned long long>(i));
    const uint64_t hash[2] = {mixed(i), mixed(i + 77)};
    const auto key = static_cast<int64_t>(((hash[0] & 0xffU) << 40U) | i);
    constexpr int64_t kTraits = 0x100400202;
    constexpr int64_t kNow = 1'700'000'000'000;
    sqlite3_bind_int64(device, 1, key);
    sqlite3_bind_int64(device, 2, kTraits);
    sqlite3_bind_blob(device, 3, token, length, SQLITE_STATIC);
    sqlite3_bind_text(device, 4, user, -1, SQLITE_STATIC);
    sqlite3_bind_int64(device, 5, kNow);
    sqlite3_bind_blob(device, 6, "\x09", 1, SQLITE_STATIC);
    sqlite3_bind_blob(device, 7, hash, 16, SQLITE_STATIC);
    sqlite3_bind_int64(subscription, 1, key);
    sqlite3_bind_int64(subscription, 2, kTraits);
    sqlite3_bind_blob(subscription, 3, token, length, SQLITE_STATIC);
    for (sqlite3_stmt* statement : {device, subscription}) {
        if (sqlite3_step(statement) != SQLITE_DONE) throw std::runtime_error("a row was not inserted");
        sqlite3_reset(statement);
    }
}

int measure(const std::string& like, const Wanted& wanted) {
    const std::string path = like + ".bare";
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path + end);
    sqlite3* database = nullptr;
    check(database, sqlite3_open_v2(path.c_str(), &database,
                                    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr));
    run(database, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-8192; PRAGMA mmap_size=0");
    copy_schema(like, database);
    sqlite3_stmt* device =
        prepare(database,
                "INSERT INTO device (app, key, traits, token, data, labels, user, created, updated, registered, "
                "topics, token_hash, "
                "identity_hash, meta) VALUES (1, ?1, ?2, ?3, x'', x'', ?4, ?5, ?5, ?5, ?6, ?7, ?7, '')");
    sqlite3_stmt* subscription =
        prepare(database, "INSERT INTO subscription (topic, key, traits, token) VALUES (1, ?1, ?2, ?3)");
    uint64_t rows = 0;
    const auto start = Clock::now();
    double took = 0;
    while (took < wanted.seconds && rows < wanted.rows) {
        run(database, "BEGIN IMMEDIATE");
        for (uint64_t i = 0; i < wanted.rows_per_transaction; ++i) insert(device, subscription, rows++);
        run(database, "COMMIT");
        took = std::chrono::duration<double>(Clock::now() - start).count();
    }
    const double cpu_s = cpu_now_s();
    sqlite3_finalize(device);
    sqlite3_finalize(subscription);
    sqlite3_close(database);
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path + end);
    std::printf("%.0f %.2f\n", static_cast<double>(rows) / took, cpu_s / static_cast<double>(rows) * 1e6);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3 || argc > 5) {
        std::fprintf(stderr, "usage: %s LIKE.db SECONDS [BATCH [ROWS]]\n", argv[0]);
        return 2;
    }
    Wanted wanted;
    wanted.seconds = std::strtod(argv[2], nullptr);
    if (argc > 3) wanted.rows_per_transaction = std::strtoull(argv[3], nullptr, 10);
    if (argc > 4) wanted.rows = std::strtoull(argv[4], nullptr, 10);
    try {
        return measure(argv[1], wanted);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "perf9_bare_inserts: %s\n", error.what());
        return 1;
    }
}
