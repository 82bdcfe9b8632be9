// SPDX-License-Identifier: Apache-2.0
// Which uid stands for which push. Callers choose uids, so they arrive in random order; a table row per push would
// touch a page of its own per push and cost more than everything else about a small push together. Therefore:
//
//   young   entries of the latest pushes, in memory only: the rows of pushes and bundles are their record, and load()
//           reads the ones that were not filed yet
//   filing  a full young generation on its way into the uid table, some neighbouring entries with every transaction
//   table   (hash, ref, member), in hash order, so that neighbours share pages
//
// An entry says where to look, not that it is so: hashes can collide and rows can be gone. The Directory decides.
//
// Threads: the writer's.  Owner: Core.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tables.h"

namespace belfry::queue_sqlite {

// Siphash-1-3 of the uid, keyed by a number of the file: callers cannot make uids collide.
int64_t hash_of_uid(int64_t seed, uint32_t app, std::string_view uid) noexcept;

class UidIndex {
public:
    static constexpr size_t kYoungMax = 1u << 16;  // entries before a generation is filed
    static constexpr size_t kFiledPerEntry = 2;    // so that one generation is filed before the next is full
    static constexpr size_t kFiledAtLeast = 64;    // per transaction

    explicit UidIndex(Tables& tables, size_t young_max = kYoungMax) : tables_(tables), young_max_(young_max) {}

    // [control] Inside a transaction.
    void load();

    void add(uint32_t app, std::string_view uid, UidRef ref);
    // Straight into the table, for refs that come in any order.
    void file(uint32_t app, std::string_view uid, UidRef ref);
    void remove(uint32_t app, std::string_view uid, UidRef ref);
    // Newest first.
    std::vector<UidRef> find(uint32_t app, std::string_view uid);

    // The last statements of a transaction; every ref used so far is at most `last_id`.
    void flush(int64_t last_id);
    void commit();
    void rollback();

    size_t entries_in_memory() const noexcept { return young_.size + filing_.size; }

private:
    // Neighbours in the table are neighbours here.
    static constexpr int kBucketBits = 10;
    struct Generation {
        std::array<std::vector<UidEntry>, size_t{1} << kBucketBits> buckets;
        size_t size = 0;
    };
    static std::vector<UidEntry>& bucket_of(Generation& generation, int64_t hash) noexcept;
    static void append_matches(const std::vector<UidEntry>& bucket, int64_t hash, std::vector<UidRef>& found);
    bool take(Generation& generation, const UidEntry& entry);
    // No entry of a younger ref is in the table.
    int64_t table_to() const noexcept { return std::max({filed_to_, filing_to_, loaded_to_}); }
    void file_some();

    Tables& tables_;
    const size_t young_max_;
    int64_t seed_ = 0;
    Generation young_, filing_;
    int64_t filed_to_ = 0;      // refs up to here are in the table
    int64_t filing_to_ = 0;     // and up to here once `filing` is
    int64_t loaded_to_ = 0;     // up to here some may be: an earlier process did not finish its filing
    size_t filed_buckets_ = 0;  // of `filing`, committed
    size_t file_from_ = 0;      // of `filing`, in this transaction
    int64_t last_id_ = 0;
    // Of this transaction: what is added, and what was removed from memory.
    std::vector<UidEntry> added_, removed_young_, removed_filing_;
};

}  // namespace belfry::queue_sqlite
