// SPDX-License-Identifier: Apache-2.0
// belfry.storage/1 as the host calls it: what each call means is written in plugin_api/include/belfry/storage.h.
//
// Rows given to callbacks are borrowed for that callback. Calls a storage does not offer answer Unsupported. A batch
// that succeeded answered every item exactly once. Threads: [work], at most table.concurrency at once; more callers
// wait. Owner: a Generation.
#pragma once

#include <belfry/storage.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "plugins/call.h"

namespace belfry::plugins {

// How a list ended.
struct ListEnd {
    bool more = false;
    int64_t total = -1;  // -1: was not wanted
    std::string cursor;  // for the next page
};
struct ScanEnd {
    int64_t cursor = -1;  // continue with after = cursor
    bool end = false;     // nothing is left below hi
};
struct KvValue {
    int64_t version = 0;  // 0: does not exist
    std::string value;
};
struct Expired {
    uint32_t removed = 0;
    bool more = false;
};

class Storage {
public:
    // The names of mandatory functions that the table lacks, comma separated; empty if it is complete.
    static std::string missing(const belfry_storage& table);

    Storage(const belfry_storage* table, belfry_instance* instance, Faults& faults);

    // BELFRY_STORAGE_* flag.
    bool offers(uint32_t flag) const noexcept { return (table_.flags & flag) != 0; }
    uint32_t flags() const noexcept { return table_.flags; }

    template <class Fn>  // const belfry_registered&
    Status register_devices(std::string_view app, std::span<const belfry_registration> registrations, Fn&& fn) {
        return door_.each<belfry_registered>(
            "storage.register_devices", registrations.size(),
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
                return table_.register_devices(i, str(app), list_of(registrations), emit, ctx, why);
            },
            fn);
    }
    // Indices of the rows count the keys of `which` first, then its users.
    template <class Fn>  // const belfry_item_result&
    Status update_devices(std::string_view app, const belfry_selection& which, const belfry_patch& patch, Fn&& fn) {
        return door_.each<belfry_item_result>(
            "storage.update_devices", size_t{which.keys.n} + which.users.n,
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
                return table_.update_devices(i, str(app), &which, &patch, emit, ctx, why);
            },
            fn);
    }
    template <class Fn>  // const belfry_item_result&, indices as in update_devices
    Status remove_devices(std::string_view app, const belfry_selection& which, Fn&& fn) {
        return door_.each<belfry_item_result>(
            "storage.remove_devices", size_t{which.keys.n} + which.users.n,
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
                return table_.remove_devices(i, str(app), &which, emit, ctx, why);
            },
            fn);
    }
    template <class Fn>  // const belfry_device&
    Result<ListEnd> list_devices(std::string_view app, const belfry_selection& which, const belfry_paging& paging,
                                 Fn&& fn) {
        return list<belfry_device>("storage.list_devices", table_.list_devices, app, which, paging, fn);
    }
    template <class Fn>  // const belfry_topic_row&
    Result<ListEnd> list_device_topics(std::string_view app, const belfry_selection& which, const belfry_paging& paging,
                                       Fn&& fn) {
        return list<belfry_topic_row>("storage.list_device_topics", table_.list_device_topics, app, which, paging, fn);
    }
    template <class Fn>  // const belfry_topic_row&
    Result<ListEnd> list_user_topics(std::string_view app, const belfry_selection& which, const belfry_paging& paging,
                                     Fn&& fn) {
        return list<belfry_topic_row>("storage.list_user_topics", table_.list_user_topics, app, which, paging, fn);
    }
    template <class Fn>  // const belfry_item_result&
    Status update_user_topics(std::string_view app, std::span<const belfry_user_topics> changes, Fn&& fn) {
        return door_.each<belfry_item_result>(
            "storage.update_user_topics", changes.size(),
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
                return table_.update_user_topics(i, str(app), list_of(changes), emit, ctx, why);
            },
            fn);
    }
    // Internal if the storage makes no progress: continuing would never end.
    template <class Fn>  // const belfry_device&
    Result<ScanEnd> scan(const belfry_scan& what, Fn&& fn) {
        int64_t cursor = what.after;
        int32_t end = 0;
        const Status done = door_.rows<belfry_device>(
            "storage.scan",
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
                return table_.scan(i, &what, emit, ctx, &cursor, &end, why);
            },
            fn);
        if (!done) return done.error();
        return scan_end(what, cursor, end);
    }
    template <class Fn>  // const belfry_device&; `index` names the value it answers
    Status fetch_keys(std::string_view app, std::span<const int64_t> keys, uint32_t each, uint32_t fields,
                      int64_t deadline_mono_ns, Fn&& fn) {
        return fetch(app, BELFRY_BY_KEY, list_of(keys), each, fields, deadline_mono_ns, fn);
    }
    template <class Fn>
    Status fetch_users(std::string_view app, std::span<const belfry_str> users, uint32_t each, uint32_t fields,
                       int64_t deadline_mono_ns, Fn&& fn) {
        return fetch(app, BELFRY_BY_USER, list_of(users), each, fields, deadline_mono_ns, fn);
    }
    template <class Fn>  // identities: 16-byte hashes, one after the other
    Status fetch_identities(std::string_view app, std::span<const std::array<uint8_t, 16>> hashes, uint32_t each,
                            uint32_t fields, int64_t deadline_mono_ns, Fn&& fn) {
        return fetch(app, BELFRY_BY_IDENTITY, list_of(hashes), each, fields, deadline_mono_ns, fn);
    }
    template <class Fn>  // const belfry_fact_result&
    Status invalidate(std::string_view app, std::span<const belfry_fact> facts, Fn&& fn) {
        return door_.each<belfry_fact_result>(
            "storage.invalidate", facts.size(),
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
                return table_.invalidate(i, str(app), list_of(facts), emit, ctx, why);
            },
            fn);
    }
    template <class Fn>  // const belfry_fact_result&
    Status amend(std::string_view app, std::span<const belfry_fact> facts, Fn&& fn) {
        return door_.each<belfry_fact_result>(
            "storage.amend", facts.size(),
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
                return table_.amend(i, str(app), list_of(facts), emit, ctx, why);
            },
            fn);
    }
    // Version 0: no such key.
    Result<KvValue> kv_get(std::string_view key);
    // Conflict if the stored version is another one. The new version is version + 1.
    Status kv_put(std::string_view key, std::string_view value, int64_t version);
    Status kv_delete(std::string_view key, int64_t version);

    Result<int64_t> count(std::string_view app, const belfry_selection& which, int64_t deadline_mono_ns);
    // A key that halves the rows in (after, hi).
    Result<int64_t> split(const belfry_scan& what);
    Result<Expired> expire(std::string_view app, int64_t before_unix_ms, uint32_t limit);
    template <class Fn>  // const belfry_str&: opaque records
    Result<ListEnd> dump(std::string_view app, const belfry_paging& paging, Fn&& fn) {
        if (table_.dump == nullptr) return Door::unsupported("storage.dump");
        belfry_page_end end = sized<belfry_page_end>();
        const Status done = door_.rows<belfry_str>(
            "storage.dump",
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
                return table_.dump(i, str(app), &paging, emit, ctx, &end, why);
            },
            fn);
        if (!done) return done.error();
        return list_end(end);
    }
    Status load(std::string_view app, std::span<const belfry_str> records);
    Status backup(std::string_view path);
    // True: call again.
    Result<bool> purge_app(std::string_view app, uint32_t limit);

private:
    template <class Row, class Call, class Fn>
    Result<ListEnd> list(const char* name, Call call, std::string_view app, const belfry_selection& which,
                         const belfry_paging& paging, Fn& fn) {
        belfry_page_end end = sized<belfry_page_end>();
        const Status done = door_.rows<Row>(
            name,
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
                return call(i, str(app), &which, &paging, emit, ctx, &end, why);
            },
            fn);
        if (!done) return done.error();
        return list_end(end);
    }
    template <class Fn>
    Status fetch(std::string_view app, int32_t by, belfry_list values, uint32_t each, uint32_t fields,
                 int64_t deadline_mono_ns, Fn& fn) {
        return door_.rows<belfry_device>(
            "storage.fetch",
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
                return table_.fetch(i, str(app), by, values, each, fields, deadline_mono_ns, emit, ctx, why);
            },
            [&](const belfry_device& device) {
                if (device.index < values.n) return Door::pass(device, fn);
                door_.faults().add(Fault::ForeignRow, "storage.fetch");
                return true;
            });
    }
    Result<ScanEnd> scan_end(const belfry_scan& what, int64_t cursor, int32_t end);
    static ListEnd list_end(const belfry_page_end& end);
    Status kv_cas(const belfry_kv& kv);

    const belfry_storage table_;
    Door door_;
};

}  // namespace belfry::plugins
