// SPDX-License-Identifier: Apache-2.0
// All reads of a storage file, on a read-only connection of its own. A call reads from one snapshot, or from several
// short ones in key order where it may be long, so that no reader keeps the WAL from being reset.
//
// Threads: one at a time.  Owner: ReaderPool.
#pragma once

#include <belfry/storage.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sqlite/database.h"
#include "storage/halving.h"
#include "storage_sqlite/device.h"
#include "storage_sqlite/row_batch.h"
#include "storage_sqlite/words.h"

namespace belfry::storage {

// Says whether a call may go on; asked every few hundred rows.
using InTime = std::function<bool()>;

class DumpPage;
struct DumpPlace;
class Selection;

class Reader {
public:
    Reader(const std::string& path, uint32_t cache_kib);
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    // scan.cpp
    void scan(const belfry_scan& scan, const InTime& in_time, belfry_emit emit, void* ctx, int64_t* cursor,
              int32_t* end);
    void fetch(std::string_view app, int32_t by, belfry_list values, uint32_t each, uint32_t fields,
               const InTime& in_time, belfry_emit emit, void* ctx);
    // A key whose predecessors in the range are about half of its rows. Fails: NOT_FOUND if there are fewer than two.
    int64_t split(const belfry_scan& scan);

    // list.cpp. A total that is not there when the time to count is over is left out (-1).
    void list_devices(std::string_view app, const belfry_selection& which, const belfry_paging& paging,
                      const InTime& time_to_count, belfry_emit emit, void* ctx, belfry_page_end* end);
    void list_device_topics(std::string_view app, const belfry_selection& which, const belfry_paging& paging,
                            const InTime& time_to_count, belfry_emit emit, void* ctx, belfry_page_end* end);
    void list_user_topics(std::string_view app, const belfry_selection& which, const belfry_paging& paging,
                          const InTime& time_to_count, belfry_emit emit, void* ctx, belfry_page_end* end);
    void count(std::string_view app, const belfry_selection& which, const InTime& in_time, int64_t* n);

    // dump.cpp
    void dump(std::string_view app, const belfry_paging& paging, belfry_emit emit, void* ctx, belfry_page_end* end);

    void kv_get(std::string_view key, belfry_emit emit, void* ctx);
    // Devices of the app after *after that were neither registered nor updated since `before`: at most `limit`, found
    // among the next kRowsPerSnapshot rows. *after moves to the last row looked at; -1 at the end.
    std::vector<int64_t> inactive(int64_t app, int64_t before, uint32_t limit, int64_t* after);
    std::optional<int64_t> app_number(std::string_view name);

    // For tests that look at the statements.
    sqlite::Database& database() const noexcept { return *database_; }

private:
    friend class Selection;
    // One consistent view for the statements of a call; nothing keeps it open afterwards.
    class Snapshot {
    public:
        explicit Snapshot(Reader& reader)
            : reader_(reader), transaction_(*reader.database_, sqlite::Transaction::Read) {}
        ~Snapshot() {
            reader_.narrow_by_key_.reset();
            reader_.wide_by_key_.reset();
        }
        Snapshot(const Snapshot&) = delete;
        Snapshot& operator=(const Snapshot&) = delete;

    private:
        Reader& reader_;
        sqlite::Transaction transaction_;
    };

    std::optional<int64_t> topic_number(int64_t app, std::string_view name);
    // A row by key inside the current Snapshot; the view lives until the next row. False if there is none.
    bool row(int64_t app, int64_t key, Columns columns, DeviceView* view);
    // The names of packed topics, sorted by bytes, and beside them their origins; live until the next names_of.
    const std::vector<std::string_view>& names_of(std::string_view packed_topics);
    const std::string& topic_name(int64_t number);
    bool add_row(const DeviceView& view, uint32_t index);
    void begin_call() { topic_names_.clear(); }

    // Rows of the topic or of the whole app in (after, hi).
    bool scan_topic(int64_t app, const belfry_scan& scan, uint32_t limit, const InTime& in_time, int64_t* cursor);
    bool scan_all(int64_t app, const belfry_scan& scan, uint32_t limit, const InTime& in_time, int64_t* cursor);
    bool is_narrow(uint32_t fields) const noexcept;
    bool count_in_time(std::string_view app, const belfry_selection& which, const InTime& in_time, int64_t* n);

    // Visits the devices of a selection in key order, with a snapshot of its own for every `portion` of candidates.
    // `read` fills the view where it is not yet; false from the visitor ends the walk.
    using ReadRow = std::function<bool()>;
    using Visit = std::function<bool(const Selection&, int64_t key, DeviceView&, const ReadRow& read)>;
    // False: `in_time` said so, asked every few hundred candidates whether they match or not; all have time without it.
    bool walk(std::string_view app, const belfry_selection& which, int64_t after, uint32_t portion, const Visit& visit,
              const InTime& in_time = {});
    using VisitUser = std::function<bool(const Selection&, int64_t id, std::string_view name,
                                         const std::vector<std::string_view>& topics)>;
    std::vector<std::pair<int64_t, std::string>> bound_users(int64_t app, const std::vector<std::string>& wanted,
                                                             const std::string& from, uint32_t n);
    void walk_users(std::string_view app, const belfry_selection& which, const std::string& from,
                    const VisitUser& visit);

    std::string bound_user_name(std::string_view app, int64_t number);

    // Each answers where the page ended; nothing if its part is through.
    uint32_t state_rank_after(const PairCursor& last);
    std::optional<DumpPlace> dump_state(const DumpPlace& from, DumpPage& page);
    std::optional<DumpPlace> dump_devices(std::string_view app, int64_t after, DumpPage& page);
    std::optional<DumpPlace> dump_bindings(std::string_view app, int64_t last, DumpPage& page);

    class Range final : public KeyRange {  // of keys: inside a topic, or of a whole app
    public:
        Range(Reader& reader, bool by_topic, int64_t number) : reader_(reader), by_topic_(by_topic), number_(number) {}
        std::optional<int64_t> edge(int64_t after, int64_t hi, bool last) override;
        std::vector<int64_t> keys(int64_t after, int64_t hi, uint32_t limit) override;

    private:
        Reader& reader_;
        bool by_topic_;
        int64_t number_;
    };
    std::optional<Range> range_of(const belfry_scan& scan);

    std::unique_ptr<sqlite::Database> database_;
    Words words_;
    RowBatch batch_;
    sqlite::Statement app_, topic_, topic_name_, kv_, kv_keys_, kv_from_, sequence_, inactive_;
    sqlite::Statement narrow_by_key_, wide_by_key_, key_by_identity_;
    sqlite::Statement scan_topic_, scan_narrow_, scan_wide_;
    sqlite::Statement app_keys_, user_keys_, topic_keys_;  // key, traits after a key
    sqlite::Statement first_of_topic_, last_of_topic_, first_of_app_, last_of_app_, keys_of_topic_, keys_of_app_;
    sqlite::Statement users_after_, user_number_, user_name_, user_topics_;
    std::unordered_map<int64_t, std::string> topic_names_;  // of the current call
    std::vector<std::string_view> names_;
    std::vector<uint32_t> origins_;
    std::vector<std::pair<std::string_view, uint32_t>> named_;
    std::vector<TopicRef> refs_;
};

}  // namespace belfry::storage
