// SPDX-License-Identifier: Apache-2.0
// belfry.storage/1 on PostgreSQL: the calls, each a few round trips on a connection of its role's pool.
//
// Threads: as tagged in storage.h; calls run side by side, what they share is in the database, Names and Sequence.
// Owner: the host, by the SDK.
#pragma once

#include <belfry/storage.hpp>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "pg/pool.h"
#include "storage/dump_page.h"
#include "storage_pg/config.h"
#include "storage_pg/edit.h"
#include "storage_pg/names.h"
#include "storage_pg/readers.h"
#include "storage_pg/sequence.h"

namespace belfry::storage_pg {

class Store final : public Storage<Store> {
public:
    static constexpr uint32_t kFlags = BELFRY_STORAGE_COUNTS | BELFRY_STORAGE_SPLIT |
                                       BELFRY_STORAGE_ATOMIC_USER_TOPICS | BELFRY_STORAGE_EXPIRE | BELFRY_STORAGE_DUMP |
                                       BELFRY_STORAGE_PURGE_APP | BELFRY_STORAGE_MULTI_NODE;

    Store(Services services, std::string_view config) : services_(services), config_(parse_config(config)) {}
    void start(int64_t deadline_mono_ns) override;

    // writing.cpp
    void register_devices(App app, Rows<belfry_registration> rows, const Emit<belfry_registered>& emit) override;
    void update_devices(App app, const belfry_selection& which, const belfry_patch& patch,
                        const Emit<belfry_item_result>& emit) override;
    void remove_devices(App app, const belfry_selection& which, const Emit<belfry_item_result>& emit) override;
    void update_user_topics(App app, Rows<belfry_user_topics> changes, const Emit<belfry_item_result>& emit) override;
    void invalidate(App app, Rows<belfry_fact> facts, const Emit<belfry_fact_result>& emit) override;
    void amend(App app, Rows<belfry_fact> facts, const Emit<belfry_fact_result>& emit) override;

    // listing.cpp
    void list_devices(App app, const belfry_selection& which, const belfry_paging& paging,
                      const Emit<belfry_device>& emit, belfry_page_end& end) override;
    void list_device_topics(App app, const belfry_selection& which, const belfry_paging& paging,
                            const Emit<belfry_topic_row>& emit, belfry_page_end& end) override;
    void list_user_topics(App app, const belfry_selection& which, const belfry_paging& paging,
                          const Emit<belfry_topic_row>& emit, belfry_page_end& end) override;
    int64_t count(App app, const belfry_selection& which, int64_t deadline_mono_ns) override;

    // scanning.cpp
    bool scan(const belfry_scan& what, const Emit<belfry_device>& emit, int64_t& cursor) override;
    void fetch(App app, int32_t by, belfry_list values, uint32_t each, uint32_t fields, int64_t deadline_mono_ns,
               const Emit<belfry_device>& emit) override;
    int64_t split(const belfry_scan& what) override;

    // keeping.cpp
    void kv_get(std::string_view key, const Emit<belfry_kv>& emit) override;
    void kv_cas(const belfry_kv& kv) override;
    bool expire(App app, int64_t before, uint32_t limit, uint32_t& removed) override;
    void dump(App app, const belfry_paging& paging, const Emit<belfry_str>& emit, belfry_page_end& end) override;
    void load(App app, Rows<belfry_str> records) override;
    bool purge_app(App app, uint32_t limit) override;

private:
    // The moment a call must end: its own, or kCallTime from now.
    pg::Deadline until(int64_t deadline_mono_ns = 0) const;

    // Runs one transaction on devices of an app; `work` is called anew after a lost race. What SaysTheSame when it is
    // done twice is done again after a commit in doubt, and gives a new app a number; what would answer NOT_FOUND the
    // second time is not, and an unknown app ends the call with false.
    enum class Again { SaysTheSame, SaysOtherwise };
    using Scope = Edit::Scope;
    using Prepare = std::function<void(pg::Connection&, const Names::App&, Scope&)>;
    bool edit(App app, Again again, const Prepare& prepare, const std::function<void(Edit&)>& work);

    using Change = std::function<belfry_code(Edit&, const Device& before)>;
    void change_devices(App app, const belfry_selection& which, const Prepare& prepare, const Change& change,
                        const Emit<belfry_item_result>& emit);
    using Verdict = std::function<void(Edit&, const Device&, const belfry_fact&)>;
    void settle_facts(App app, Rows<belfry_fact> facts, const Emit<belfry_fact_result>& emit, const Verdict& act);

    // Devices of a selection in key order, in portions; false from `visit` ends the walk.
    using Visit = std::function<bool(const pg::Result& rows)>;
    void walk(App app, const belfry_selection& which, const char* columns, int64_t after, uint32_t portion,
              pg::Deadline deadline, const Visit& visit);
    // Names of all topics of the rows (kWide), which begin at column `at`.
    std::unordered_map<int64_t, std::string> names_in(const pg::Result& rows, int at, pg::Deadline deadline);
    pg::Result rows_after(App app, std::string_view sql, int64_t after, int64_t most);
    bool dump_devices(App app, uint32_t limit, int64_t& after, storage::DumpPage& page);
    bool dump_bindings(App app, uint32_t limit, int64_t& after, storage::DumpPage& page);
    bool dump_states(uint32_t limit, int64_t& after, storage::DumpPage& page);
    void load_app(App app, const std::vector<storage::DeviceRecord>& devices,
                  const std::vector<storage::BindingRecord>& bindings);
    void load_sequence(int64_t next);
    void load_states(const std::vector<storage::StateRecord>& states);

    Services services_;
    Config config_;
    std::unique_ptr<pg::Pool> writes_;
    std::unique_ptr<Readers> reads_;
    Names names_;
    Sequence sequence_;
    std::mutex mutex_;
    std::map<std::string, int64_t, std::less<>> expired_to_;  // per app; only apps in the middle of a round
};

}  // namespace belfry::storage_pg
