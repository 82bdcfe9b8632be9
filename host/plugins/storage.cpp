// SPDX-License-Identifier: Apache-2.0
#include "plugins/storage.h"

#include "plugins/missing.h"

namespace belfry::plugins {

std::string Storage::missing(const belfry_storage& table) {
    return join_missing(
        {{"register_devices", table.register_devices != nullptr},
         {"update_devices", table.update_devices != nullptr},
         {"remove_devices", table.remove_devices != nullptr},
         {"list_devices", table.list_devices != nullptr},
         {"list_device_topics", table.list_device_topics != nullptr},
         {"list_user_topics", table.list_user_topics != nullptr},
         {"update_user_topics", table.update_user_topics != nullptr},
         {"scan", table.scan != nullptr},
         {"fetch", table.fetch != nullptr},
         {"invalidate", table.invalidate != nullptr},
         {"amend", table.amend != nullptr},
         {"kv_get", table.kv_get != nullptr},
         {"kv_cas", table.kv_cas != nullptr},
         {"count (declared by COUNTS)", (table.flags & BELFRY_STORAGE_COUNTS) == 0 || table.count != nullptr},
         {"split (declared by SPLIT)", (table.flags & BELFRY_STORAGE_SPLIT) == 0 || table.split != nullptr},
         {"expire (declared by EXPIRE)", (table.flags & BELFRY_STORAGE_EXPIRE) == 0 || table.expire != nullptr},
         {"dump and load (declared by DUMP)",
          (table.flags & BELFRY_STORAGE_DUMP) == 0 || (table.dump != nullptr && table.load != nullptr)},
         {"backup (declared by BACKUP)", (table.flags & BELFRY_STORAGE_BACKUP) == 0 || table.backup != nullptr},
         {"purge_app (declared by PURGE_APP)",
          (table.flags & BELFRY_STORAGE_PURGE_APP) == 0 || table.purge_app != nullptr}});
}

Storage::Storage(const belfry_storage* table, belfry_instance* instance, Faults& faults)
    : table_(known_part<belfry_storage>(table)), door_(instance, faults, table_.concurrency) {}

Result<ScanEnd> Storage::scan_end(const belfry_scan& what, int64_t cursor, int32_t end) {
    if (end != 0) return ScanEnd{cursor, true};
    if (cursor > what.after && cursor < what.hi) return ScanEnd{cursor, false};
    if (cursor >= what.hi) return ScanEnd{cursor, true};
    door_.faults().add(Fault::NotAdvancing, "storage.scan");
    return error(ErrorCode::Internal,
                 "the storage plugin's scan did not advance its cursor; report it to the plugin's author");
}

ListEnd Storage::list_end(const belfry_page_end& end) {
    return ListEnd{end.more != 0, end.total, std::string(text_of(end.cursor))};
}

Result<KvValue> Storage::kv_get(std::string_view key) {
    KvValue value;
    const Status done = door_.rows<belfry_kv>(
        "storage.kv_get",
        [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
            return table_.kv_get(i, str(key), emit, ctx, why);
        },
        [&](const belfry_kv& row) {
            value.version = row.version;
            value.value = text(row.value);
        });
    if (!done) return done.error();
    return value;
}

Status Storage::kv_cas(const belfry_kv& kv) {
    return door_.call("storage.kv_cas",
                      [&](belfry_instance* i, belfry_why* why) { return table_.kv_cas(i, &kv, why); });
}

Status Storage::kv_put(std::string_view key, std::string_view value, int64_t version) {
    belfry_kv kv = sized<belfry_kv>();
    kv.key = str(key);
    // p == NULL would delete.
    kv.value = value.data() == nullptr ? belfry_str{"", 0} : str(value);
    kv.version = version;
    return kv_cas(kv);
}

Status Storage::kv_delete(std::string_view key, int64_t version) {
    belfry_kv kv = sized<belfry_kv>();
    kv.key = str(key);
    kv.version = version;
    return kv_cas(kv);
}

Result<int64_t> Storage::count(std::string_view app, const belfry_selection& which, int64_t deadline_mono_ns) {
    if (table_.count == nullptr) return Door::unsupported("storage.count");
    int64_t n = 0;
    const Status done = door_.call("storage.count", [&](belfry_instance* i, belfry_why* why) {
        return table_.count(i, str(app), &which, deadline_mono_ns, &n, why);
    });
    if (!done) return done.error();
    return n;
}

Result<int64_t> Storage::split(const belfry_scan& what) {
    if (table_.split == nullptr) return Door::unsupported("storage.split");
    int64_t middle = what.after;
    const Status done = door_.call(
        "storage.split", [&](belfry_instance* i, belfry_why* why) { return table_.split(i, &what, &middle, why); });
    if (!done) return done.error();
    if (middle > what.after && middle < what.hi) return middle;
    door_.faults().add(Fault::NotAdvancing, "storage.split");
    return error(ErrorCode::Internal,
                 "the storage plugin split a key range outside of it; report it to the plugin's author");
}

Result<Expired> Storage::expire(std::string_view app, int64_t before_unix_ms, uint32_t limit) {
    if (table_.expire == nullptr) return Door::unsupported("storage.expire");
    uint32_t removed = 0;
    int32_t more = 0;
    const Status done = door_.call("storage.expire", [&](belfry_instance* i, belfry_why* why) {
        return table_.expire(i, str(app), before_unix_ms, limit, &removed, &more, why);
    });
    if (!done) return done.error();
    return Expired{removed, more != 0};
}

Status Storage::load(std::string_view app, std::span<const belfry_str> records) {
    if (table_.load == nullptr) return Door::unsupported("storage.load");
    return door_.call("storage.load", [&](belfry_instance* i, belfry_why* why) {
        return table_.load(i, str(app), list_of(records), why);
    });
}

Status Storage::backup(std::string_view path) {
    if (table_.backup == nullptr) return Door::unsupported("storage.backup");
    return door_.call("storage.backup",
                      [&](belfry_instance* i, belfry_why* why) { return table_.backup(i, str(path), why); });
}

Result<bool> Storage::purge_app(std::string_view app, uint32_t limit) {
    if (table_.purge_app == nullptr) return Door::unsupported("storage.purge_app");
    int32_t more = 0;
    const Status done = door_.call("storage.purge_app", [&](belfry_instance* i, belfry_why* why) {
        return table_.purge_app(i, str(app), limit, &more, why);
    });
    if (!done) return done.error();
    return more != 0;
}

}  // namespace belfry::plugins
