// SPDX-License-Identifier: Apache-2.0
// All changes of a storage file, on its one read-write connection. A batch runs in transactions of at most
// kRowsPerTransaction rows (registrations and facts: more while nobody waits), each durable when its results are handed
// out.
//
// Threads: [any]; a fair lock serialises the transactions.  Owner: Store.
// Not here: reads (reader.h); results leave only after the lock is free, so a slow receiver holds nobody up.
#pragma once

#include <belfry/storage.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sqlite/database.h"
#include "storage/record.h"
#include "storage_sqlite/device_table.h"
#include "storage_sqlite/topic_table.h"
#include "storage_sqlite/words.h"

namespace belfry::storage {

// Registrations or facts that one transaction takes while nobody else wants to write: rows of a sorted batch share
// pages, which are then written once. What it changes fits into the writer's cache.
inline constexpr uint32_t kRowsPerTransactionAlone = 2000;

// First come, first served: a thread with many transactions to run lets others in between them.
class TurnLock {
public:
    void lock();
    void unlock();
    // Threads behind the one whose turn it is.
    uint64_t waiting() const;

private:
    mutable std::mutex mutex_;
    std::condition_variable turn_;
    uint64_t next_ = 0, serving_ = 0;
};

class Writer {
public:
    using Now = std::function<int64_t()>;  // wall clock, milliseconds
    // Opens or creates the file and brings its tables up to date.
    Writer(const std::string& path, uint32_t cache_kib, Now now);
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    void register_devices(std::string_view app, belfry_list registrations, belfry_emit emit, void* ctx);
    void update_devices(std::string_view app, const belfry_selection& which, const belfry_patch& patch,
                        belfry_emit emit, void* ctx);
    void remove_devices(std::string_view app, const belfry_selection& which, belfry_emit emit, void* ctx);
    void update_user_topics(std::string_view app, belfry_list changes, belfry_emit emit, void* ctx);
    void invalidate(std::string_view app, belfry_list facts, belfry_emit emit, void* ctx);
    void amend(std::string_view app, belfry_list facts, belfry_emit emit, void* ctx);
    void kv_cas(const belfry_kv& kv);
    // Removes those of `keys` that were neither registered nor updated since; how many.
    uint32_t expire(int64_t app, const std::vector<int64_t>& keys, int64_t before);
    // True: something is left.
    bool purge_app(std::string_view app, uint32_t limit);
    void backup_to(const std::string& path);
    // dump.cpp: records of a dump, each as it was dumped; loading one twice is as good as once.
    void load(std::string_view app, belfry_list records);

    // For tests that look at the file below.
    sqlite::Database& database() const noexcept { return *database_; }

private:
    // Runs fn in a transaction under the lock; what fn threw or the commit refused leaves nothing, in memory neither.
    void transact(const std::function<void()>& fn);
    bool is_full(size_t rows) const;
    void leave_backup();
    std::optional<int64_t> find_app(std::string_view name);
    int64_t app_number(std::string_view name);

    belfry_registered register_one(int64_t app, const belfry_registration& row, int64_t now);
    void create(int64_t app, Device& device, uint32_t prefix);
    bool evict(int64_t app, int64_t key);
    void fill(int64_t app, const belfry_registration& row, int64_t now, Device& device);

    void load_device(int64_t app, const DeviceRecord& record);
    void load_binding(int64_t app, const BindingRecord& record);

    using Edit = std::function<belfry_code(int64_t app, const Device& before)>;  // changes after_ or removes
    void edit_devices(std::string_view app, const belfry_selection& which, belfry_emit emit, void* ctx,
                      const Edit& edit);
    belfry_code patch_one(int64_t app, const Device& before, const belfry_patch& patch, int64_t now);
    belfry_code patch_topics(int64_t app, const belfry_patch& patch, Device& device);
    void switch_bound(int64_t app, Device& device);

    belfry_item_result bind_one(int64_t app, const belfry_user_topics& change, int64_t now);
    void settle_facts(std::string_view app, belfry_list facts, belfry_emit emit, void* ctx,
                      const std::function<void(int64_t app, const Device&, const belfry_fact&)>& act);
    std::optional<int64_t> key_of_fact(int64_t app, const belfry_fact& fact);

    TurnLock lock_;
    std::unique_ptr<sqlite::Database> database_;
    Words words_;
    TopicTable topics_;
    DeviceTable devices_;
    sqlite::Statement find_app_, insert_app_, drop_app_, read_sequence_, write_sequence_;
    sqlite::Statement kv_read_, kv_write_, kv_drop_;
    Now now_;
    int64_t sequence_ = 0, stored_sequence_ = 0;
    Device before_, after_, other_;  // recycled, so that a row costs no allocations
};

// Hands rows out in portions; false if the receiver wanted no more.
template <class Row>
bool emit_all(const std::vector<Row>& rows, belfry_emit emit, void* ctx) {
    if (rows.empty()) return true;
    return emit(ctx,
                belfry_list{rows.data(), static_cast<uint32_t>(rows.size()), static_cast<uint32_t>(sizeof(Row))}) == 0;
}

}  // namespace belfry::storage
