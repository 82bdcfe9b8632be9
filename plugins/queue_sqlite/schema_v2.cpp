// SPDX-License-Identifier: Apache-2.0
#include "schema_v2.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "uid_index.h"

namespace belfry::queue_sqlite {

namespace {

using sqlite::Blob;
using sqlite::Database;
using sqlite::ResetAtEnd;
using sqlite::Statement;

// What version 1 stored a uid under.
std::string key_of(uint32_t app, std::string_view uid) {
    std::string key(reinterpret_cast<const char*>(&app), sizeof app);
    key += uid;
    return key;
}

std::vector<MemberResult> unpack_results_1(std::string_view bytes) {
    Unpacker in(bytes);
    std::vector<MemberResult> results(std::min(in.number<uint32_t>(), kBundleMembersMax));
    for (MemberResult& result : results) {
        result.app = in.number<uint32_t>();
        result.uid = in.text();
        result.state = in.number<int32_t>();
        result.expires_unix_ms = in.number<int64_t>();
        result.finished_unix_ms = in.number<int64_t>();
        result.moved_to = in.number<int64_t>();
        result.counters.planned = in.number<int64_t>();
        result.counters.tallies = unpack_tallies(in);
        result.counters.samples = unpack_samples(in);
    }
    return results;
}

int64_t counter(Database& database, std::string_view name) {
    Statement get = database.prepare("SELECT value FROM counter WHERE name=?1");
    return get.with(name).step() ? get.integer(0) : 0;
}

void set_counter(Database& database, std::string_view name, int64_t value) {
    database.prepare("INSERT INTO counter (name, value) VALUES (?1,?2)").with(name, value).run();
}

// Entries that are sorted together, so that neighbours share pages; a file may have millions.
constexpr size_t kUidsTogether = 65'536;

void file_uids(std::vector<UidEntry>& entries, Statement& insert) {
    std::sort(entries.begin(), entries.end(), [](const UidEntry& a, const UidEntry& b) { return a.hash < b.hash; });
    for (const UidEntry& entry : entries) insert.with(entry.hash, entry.ref.ref, entry.ref.member).run();
    entries.clear();
}

// All entries, and the fingerprints of pushes.
void convert_uids(Database& database, int64_t seed) {
    Statement insert = database.prepare("INSERT INTO uid (hash, ref, member) VALUES (?,?,?)");
    Statement rows = database.prepare("SELECT key, fingerprint, ref, member FROM uid_1");
    Statement set = database.prepare("UPDATE push SET fingerprint=?2 WHERE id=?1");
    std::vector<UidEntry> entries;
    rows.with();
    while (rows.step()) {
        std::string_view key = rows.blob(0);
        uint32_t app = 0;
        std::memcpy(&app, key.data(), std::min(key.size(), sizeof app));
        key.remove_prefix(std::min(key.size(), sizeof app));
        const UidRef ref{rows.integer(2), static_cast<int32_t>(rows.integer(3))};
        entries.push_back({hash_of_uid(seed, app, key), ref});
        if (ref.member < 0) set.with(ref.ref, Blob(rows.blob(1))).run();
        if (entries.size() == kUidsTogether) file_uids(entries, insert);
    }
    file_uids(entries, insert);
}

void convert_bundles(Database& database) {
    Statement next = database.prepare("SELECT id, results FROM bundle WHERE id>?1 ORDER BY id LIMIT 1");
    Statement set = database.prepare("UPDATE bundle SET results=?2 WHERE id=?1");
    Statement find = database.prepare("SELECT fingerprint FROM uid_1 WHERE key=?1 AND ref=?2");
    for (int64_t id = 0; next.with(id).step();) {
        id = next.integer(0);
        std::vector<MemberResult> results = unpack_results_1(next.blob(1));
        next.reset();
        for (MemberResult& result : results) {
            const std::string key = key_of(result.app, result.uid);
            const ResetAtEnd reset(find);
            if (find.with(Blob(key), id).step()) result.fingerprint = fingerprint_of(find.blob(0));
        }
        const std::string packed = pack_results(results);
        set.with(id, Blob(packed)).run();
    }
}

}  // namespace

void convert_to_version_2(Database& database) {
    std::random_device random;
    const auto seed = static_cast<int64_t>(uint64_t{random()} << 32 | random());
    set_counter(database, "uid_seed", seed);
    convert_uids(database, seed);
    convert_bundles(database);
    database.execute("DROP TABLE uid_1");
    // Ids below the reserved block are all in the table now.
    set_counter(database, "uids_filed_to", std::max<int64_t>(0, counter(database, "next_id") - 1));
}

}  // namespace belfry::queue_sqlite
