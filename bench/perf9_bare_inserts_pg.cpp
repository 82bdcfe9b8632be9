// SPDX-License-Identifier: Apache-2.0
// The baseline of PERF-9 on PostgreSQL: what a bare client reaches that inserts the rows of new devices, a hundred a
// transaction, with the tables, indexes and durability of the storage. It looks nothing up and answers nobody.
//
// perf9_bare_inserts_pg DSN SECONDS [BATCH]: DSN names a database where the storage has made its tables. Prints rows
// per second.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "pg/connection.h"

namespace {

using namespace belfry::pg;

uint64_t mixed(uint64_t i) {
    uint64_t x = (i + 1) * 0x9e3779b97f4a7c15ULL;
    x ^= x >> 31U;
    x *= 0xbf58476d1ce4e5b9ULL;
    return x ^ (x >> 29U);
}

Hash hash_of(uint64_t i) {
    Hash hash{};
    for (size_t k = 0; k < hash.size(); ++k) hash[k] = static_cast<uint8_t>(mixed(i + k / 8) >> (k % 8 * 8));
    return hash;
}

void insert(Connection& connection, uint64_t first, uint64_t n, Deadline deadline) {
    Column keys(Type::Int8), hashes(Type::Uuid), users(Type::Text), tokens(Type::Bytes);
    for (uint64_t i = first; i < first + n; ++i) {
        keys.add(static_cast<int64_t>(((mixed(i) & 0xffU) << 40U) | i));
        hashes.add(hash_of(i));
        users.add("user-" + std::to_string(i));
        std::string token = "ok-" + std::to_string(i);
        token.resize(152, 'x');
        tokens.add(token);
    }
    connection.send("BEGIN");
    connection.send(
        "INSERT INTO device (app, key, created, updated, registered, identity, token_hash, variant, provider, "
        "platform, timezone, locale, usr, token, data, topics, meta) SELECT 1, u.key, 1, 1, 1, u.hash, u.hash, 0, "
        "'fcm', 'android', '', '', u.usr, u.token, '', '\\x09', '' "
        "FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::bytea[]) u (key, hash, usr, token)",
        Params().column(keys).column(hashes).column(users).column(tokens));
    connection.send(
        "INSERT INTO subscription (topic, key, variant, provider, platform, timezone, locale, token, data) "
        "SELECT 1, u.key, 0, 'fcm', 'android', '', '', u.token, '' "
        "FROM unnest($1::bigint[], $2::bytea[]) u (key, token)",
        Params().column(keys).column(tokens));
    connection.send("COMMIT");
    connection.trip(deadline);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: %s DSN SECONDS [BATCH]\n", argv[0]);
        return 2;
    }
    try {
        Address address(argv[1]);
        address.schema = "bare";
        Connection connection(address);
        const Deadline far = Clock::now() + std::chrono::hours(1);
        for (const char* sql : {"DROP SCHEMA IF EXISTS bare CASCADE", "CREATE SCHEMA bare",
                                "CREATE TABLE device (LIKE belfry.device INCLUDING ALL)",
                                "CREATE TABLE subscription (LIKE belfry.subscription INCLUDING ALL)"}) {
            connection.run(sql, {}, far);
        }
        const double seconds = std::strtod(argv[2], nullptr);
        const uint64_t batch = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 100;
        const auto start = Clock::now();
        uint64_t rows = 0;
        double took = 0;
        for (; took < seconds; rows += batch) {
            insert(connection, rows, batch, far);
            took = std::chrono::duration<double>(Clock::now() - start).count();
        }
        connection.run("DROP SCHEMA bare CASCADE", {}, far);
        std::printf("%.0f\n", static_cast<double>(rows) / took);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "perf9_bare_inserts_pg: %s\n", error.what());
        return 1;
    }
}
