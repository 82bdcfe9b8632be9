// SPDX-License-Identifier: Apache-2.0
#include "fakes/memory_storage.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

namespace belfry::fakes {

namespace {

// Devices that a kept one stands for.
int64_t times_of(const MemoryStorage::Device& device) {
    constexpr std::string_view kTimes = "times ";
    return device.data.starts_with(kTimes) ? std::stoll(device.data.substr(kTimes.size())) : 1;
}

}  // namespace

belfry_storage MemoryStorage::make_table() {
    belfry_storage table = sized<belfry_storage>();
    table.list_devices = &MemoryStorage::list_devices;
    table.scan = &MemoryStorage::scan;
    table.fetch = &MemoryStorage::fetch;
    table.invalidate = &MemoryStorage::invalidate;
    table.amend = &MemoryStorage::amend;
    table.kv_get = &MemoryStorage::kv_get;
    table.kv_cas = &MemoryStorage::kv_cas;
    return table;
}

belfry_device MemoryStorage::row_of(int64_t key, const Device& device, std::vector<belfry_str>& topics) {
    topics.clear();
    for (const std::string& topic : device.topics) topics.push_back(str(std::string_view(topic)));
    belfry_device row = sized<belfry_device>();
    row.key = key;
    row.provider = str(std::string_view(device.provider));
    row.token = str(std::string_view(device.token));
    row.data = str(std::string_view(device.data));
    row.user = str(std::string_view(device.user));
    row.platform = str(std::string_view(device.platform));
    row.topics = list_of(topics);
    row.variant = device.variant;
    row.registered_unix_ms = device.registered_unix_ms;
    return row;
}

belfry_code MemoryStorage::list_devices(belfry_instance* i, belfry_str app, const belfry_selection* which,
                                        const belfry_paging* paging, belfry_emit emit, void* ctx, belfry_page_end* end,
                                        belfry_why* why) {
    MemoryStorage& me = self(i);
    if (me.reads_fail()) return because(why, BELFRY_RETRY_LATER, {}, "the test lets this read fail");
    const std::lock_guard lock(me.mutex_);
    const std::string cursor = text(paging->cursor);
    const int64_t after = cursor.empty() ? -1 : std::stoll(cursor);
    std::vector<belfry_str> topics;
    int64_t last = -1;
    uint32_t listed = 0;
    for (const auto& [first, device] : me.devices_) {
        bool is_wanted = false;
        for (const belfry_str& user : Rows<belfry_str>(which->users)) is_wanted |= view(user) == device.user;
        if (device.app != view(app) || !is_wanted) continue;
        belfry_device row = row_of(first, device, topics);
        for (row.key = std::max(first, after + 1); row.key < first + times_of(device); ++row.key) {
            if (listed++ == paging->limit) {
                end->more = 1;
                std::snprintf(end->cursor, sizeof end->cursor, "%lld", static_cast<long long>(last));
                return BELFRY_OK;
            }
            last = row.key;
            if (emit(ctx, one_row(row)) != 0) return BELFRY_OK;
        }
    }
    return BELFRY_OK;
}

belfry_code MemoryStorage::scan(belfry_instance* i, const belfry_scan* what, belfry_emit emit, void* ctx,
                                int64_t* cursor, int32_t* end, belfry_why* why) {
    MemoryStorage& me = self(i);
    if (me.reads_fail()) return because(why, BELFRY_RETRY_LATER, {}, "the test lets this read fail");
    const std::lock_guard lock(me.mutex_);
    uint32_t rows = 0, looked = 0;
    me.scanned_fields |= what->fields;
    std::vector<belfry_str> topics;
    auto at = me.devices_.upper_bound(what->after);
    for (; at != me.devices_.end() && at->first < what->hi && rows < what->want && looked < what->budget_rows; ++at) {
        ++looked;
        *cursor = at->first;
        const Device& device = at->second;
        if (device.app != view(what->app)) continue;
        if (what->by == BELFRY_BY_TOPIC && device.topics.count(text(what->value)) == 0) continue;
        ++rows;
        const belfry_device row = row_of(at->first, device, topics);
        if (emit(ctx, one_row(row)) != 0) return BELFRY_OK;
    }
    *end = at == me.devices_.end() || at->first >= what->hi ? 1 : 0;
    if (*end != 0) *cursor = what->hi - 1;
    return BELFRY_OK;
}

belfry_code MemoryStorage::fetch(belfry_instance* i, belfry_str app, int32_t by, belfry_list values, uint32_t each,
                                 uint32_t, int64_t, belfry_emit emit, void* ctx, belfry_why* why) {
    MemoryStorage& me = self(i);
    if (me.reads_fail()) return because(why, BELFRY_RETRY_LATER, {}, "the test lets this read fail");
    const std::lock_guard lock(me.mutex_);
    std::vector<belfry_str> topics;
    for (uint32_t n = 0; n < values.n; ++n) {
        uint32_t found = 0;
        const auto give = [&](int64_t key, const Device& device) {
            if (device.app != view(app) || found++ >= each) return;
            belfry_device row = row_of(key, device, topics);
            row.index = n;
            emit(ctx, one_row(row));
        };
        if (by == BELFRY_BY_KEY) {
            const auto at = me.devices_.find(Rows<int64_t>(values)[n]);
            if (at != me.devices_.end()) give(at->first, at->second);
            continue;
        }
        for (const auto& [key, device] : me.devices_) {
            if (device.user != view(Rows<belfry_str>(values)[n])) continue;
            for (int64_t at = 0; at < times_of(device) && found < each; ++at) give(key + at, device);
        }
    }
    return BELFRY_OK;
}

belfry_code MemoryStorage::invalidate(belfry_instance* i, belfry_str, belfry_list facts, belfry_emit emit, void* ctx,
                                      belfry_why*) {
    MemoryStorage& me = self(i);
    ++me.removals;
    while (me.removing_hangs) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const std::lock_guard lock(me.mutex_);
    for (uint32_t n = 0; n < facts.n; ++n) {
        const belfry_fact& fact = Rows<belfry_fact>(facts)[n];
        me.invalidated_.push_back(fact);
        belfry_fact_result row = sized<belfry_fact_result>();
        row.index = n;
        row.key = fact.key;
        const auto at = me.devices_.find(fact.key);
        if (at == me.devices_.end()) {
            row.code = BELFRY_NOT_FOUND;
        } else if (at->second.registered_unix_ms > fact.unless_registered_after_ms) {
            row.code = BELFRY_CONFLICT;
        } else {
            me.devices_.erase(at);
        }
        emit(ctx, one_row(row));
    }
    return BELFRY_OK;
}

belfry_code MemoryStorage::amend(belfry_instance* i, belfry_str, belfry_list facts, belfry_emit emit, void* ctx,
                                 belfry_why*) {
    MemoryStorage& me = self(i);
    const std::lock_guard lock(me.mutex_);
    for (uint32_t n = 0; n < facts.n; ++n) {
        const belfry_fact& fact = Rows<belfry_fact>(facts)[n];
        belfry_fact_result row = sized<belfry_fact_result>();
        row.index = n;
        const auto at = me.devices_.find(fact.key);
        if (at == me.devices_.end()) {
            row.code = BELFRY_NOT_FOUND;
        } else {
            at->second.variant = fact.variant;
        }
        emit(ctx, one_row(row));
    }
    return BELFRY_OK;
}

belfry_code MemoryStorage::kv_get(belfry_instance* i, belfry_str key, belfry_emit emit, void* ctx, belfry_why*) {
    MemoryStorage& me = self(i);
    const std::lock_guard lock(me.mutex_);
    const auto at = me.kv_.find(text(key));
    if (at == me.kv_.end()) return BELFRY_OK;
    belfry_kv row = sized<belfry_kv>();
    row.key = key;
    row.value = str(std::string_view(at->second.first));
    row.version = at->second.second;
    emit(ctx, one_row(row));
    return BELFRY_OK;
}

belfry_code MemoryStorage::kv_cas(belfry_instance* i, const belfry_kv* kv, belfry_why* why) {
    MemoryStorage& me = self(i);
    const std::lock_guard lock(me.mutex_);
    auto& [value, version] = me.kv_[text(kv->key)];
    if (version != kv->version) return because(why, BELFRY_CONFLICT, {}, "another version is stored");
    value = text(kv->value);
    ++version;
    return BELFRY_OK;
}

}  // namespace belfry::fakes
