// SPDX-License-Identifier: Apache-2.0
// Dump and load: everything of an app, or with the empty app the cluster's state, as records (record.h) and back.
#include <belfry/abi.hpp>

#include <algorithm>
#include <cstring>

#include "storage/checks.h"
#include "storage/dump_page.h"
#include "storage/limits.h"
#include "storage/paging.h"
#include "storage_sqlite/dump_place.h"
#include "storage_sqlite/reader.h"
#include "storage_sqlite/selection.h"
#include "storage_sqlite/writer.h"

namespace belfry::storage {

using sqlite::Failure;

namespace {

DumpPlace place_of(std::string_view cursor, char first) {
    if (cursor.empty()) return {first, {}};
    const auto at = decode_cursor(cursor.substr(1));
    const bool known =
        cursor.front() == first || (first == DumpPlace::kDevices && cursor.front() == DumpPlace::kBindings);
    if (!at || !known) refuse_cursor();
    return {cursor.front(), *at};
}

DeviceRecord record_of(const DeviceView& view) {
    DeviceRecord record;
    record.key = view.key;
    record.created = view.created;
    record.updated = view.updated;
    record.registered = view.registered;
    record.variant = view.variant;
    record.provider = view.provider;
    record.token = view.token;
    record.data = view.data;
    record.user = view.user;
    record.platform = view.platform;
    record.timezone = view.timezone;
    record.locale = view.locale;
    record.meta = view.meta;
    record.token_hash = view.token_hash;
    record.identity_hash = view.identity_hash;
    return record;
}

[[noreturn]] void refuse_record(size_t index, const char* why) {
    throw Failure(BELFRY_BAD_REQUEST, why, "records[" + std::to_string(index) + "]");
}

}  // namespace

void Reader::dump(std::string_view app, const belfry_paging& paging, belfry_emit emit, void* ctx,
                  belfry_page_end* end) {
    start_page(paging, end);
    end->total = -1;
    begin_call();
    DumpPage page(paging.limit, emit, ctx);
    const char first = app.empty() ? DumpPlace::kState : DumpPlace::kDevices;
    const DumpPlace from = place_of(view(paging.cursor), first);
    std::optional<DumpPlace> rest;
    if (app.empty()) {
        rest = dump_state(from, page);
    } else {
        if (from.part == DumpPlace::kDevices) rest = dump_devices(app, from.at.owner, page);
        if (!rest) rest = dump_bindings(app, from.part == DumpPlace::kBindings ? from.at.owner : -1, page);
    }
    page.flush();
    if (rest) put_cursor(rest->part + encode_cursor(rest->at), end);
}

// Each of these answers where the page ended; nothing if its part is through.
std::optional<DumpPlace> Reader::dump_state(const DumpPlace& from, DumpPage& page) {
    const Snapshot snapshot(*this);
    uint32_t rank = from.at.owner < 0 ? 0 : state_rank_after(from.at);
    const sqlite::ResetAtEnd reset(kv_from_);
    kv_from_.with(rank);
    std::optional<DumpPlace> rest;
    for (; !rest && kv_from_.step(); ++rank) {
        const std::string_view key = kv_from_.text(0);
        const uint64_t last = hash_of(key);
        page.add(StateRecord{key, kv_from_.blob(1), kv_from_.integer(2)});
        if (page.is_full()) rest = DumpPlace{DumpPlace::kState, {0, rank, last}};
    }
    if (rest) return rest;
    const sqlite::ResetAtEnd sequence_reset(sequence_);
    if (sequence_.step()) page.add(SequenceRecord{sequence_.integer(0) + 1});
    return std::nullopt;
}

// Keys can be too long for a cursor, which has the rank of the last one and its hash. Others may have come or gone
// before it since; if it is gone itself, the one behind it has taken its rank.
uint32_t Reader::state_rank_after(const PairCursor& last) {
    const sqlite::ResetAtEnd reset(kv_keys_);
    kv_keys_.with(last.rank, 1);
    if (kv_keys_.step() && hash_of(kv_keys_.text(0)) == last.hash) return last.rank + 1;
    kv_keys_.with(0, -1);
    for (uint32_t rank = 0; kv_keys_.step(); ++rank) {
        if (hash_of(kv_keys_.text(0)) == last.hash) return rank + 1;
    }
    return last.rank;
}

std::optional<DumpPlace> Reader::dump_devices(std::string_view app, int64_t after, DumpPage& page) {
    for (uint32_t seen = kRowsPerSnapshot; seen == kRowsPerSnapshot;) {
        const Snapshot snapshot(*this);
        const auto number = app_number(app);
        if (!number) return std::nullopt;
        const sqlite::ResetAtEnd reset(scan_wide_);
        scan_wide_.with(*number, after, BELFRY_KEY_END, kRowsPerSnapshot);
        for (seen = 0; scan_wide_.step(); ++seen) {
            if (page.is_full()) return DumpPlace{DumpPlace::kDevices, {after, 0, 0}};
            const DeviceView device = view_of(scan_wide_, Columns::Wide, words_);
            DeviceRecord record = record_of(device);
            const std::vector<std::string_view>& names = names_of(device.topics);
            for (size_t i = 0; i < names.size(); ++i) record.topics.emplace_back(names[i], origins_[i]);
            page.add(record);
            after = device.key;
        }
    }
    return std::nullopt;
}

std::optional<DumpPlace> Reader::dump_bindings(std::string_view app, int64_t last, DumpPage& page) {
    const std::string from = last < 0 ? std::string() : bound_user_name(app, last) + '\0';
    std::optional<DumpPlace> rest;
    walk_users(app, sized<belfry_selection>(), from,
               [&](const Selection&, int64_t id, std::string_view user, const std::vector<std::string_view>& topics) {
                   if (topics.empty()) return true;  // all of them were removed
                   if (page.is_full()) {
                       // With none of the bindings in it, the page ends behind the last device.
                       rest = last < 0 ? DumpPlace{DumpPlace::kDevices, {BELFRY_KEY_END, 0, 0}}
                                       : DumpPlace{DumpPlace::kBindings, {last, 0, 0}};
                       return false;
                   }
                   page.add(BindingRecord{user, topics});
                   last = id;
                   return true;
               });
    return rest;
}

void Writer::load(std::string_view app, belfry_list records) {
    const Rows<belfry_str> rows(records);
    for (size_t at = 0; at < rows.size(); at += kRowsPerTransaction) {
        transact([&] {
            for (size_t i = at; i < std::min(rows.size(), at + kRowsPerTransaction); ++i) {
                const Record record = decode_record(view(rows[i]));
                if (const auto* device = std::get_if<DeviceRecord>(&record)) {
                    if (app.empty() || !fits(*device)) refuse_record(i, "a device that this storage does not take");
                    load_device(app_number(app), *device);
                } else if (const auto* binding = std::get_if<BindingRecord>(&record)) {
                    load_binding(app_number(app), *binding);
                } else if (const auto* state = std::get_if<StateRecord>(&record)) {
                    kv_write_.with(state->key, sqlite::Blob(state->value), state->version).run();
                } else if (const auto* sequence = std::get_if<SequenceRecord>(&record); sequence && app.empty()) {
                    sequence_ = std::max(sequence_, sequence->next - 1);
                } else {
                    refuse_record(i, "not a record of a dump");
                }
            }
        });
    }
}

// As it was dumped, whatever was there under its key or its identity.
void Writer::load_device(int64_t app, const DeviceRecord& record) {
    after_.key = record.key;
    after_.created = record.created;
    after_.updated = record.updated;
    after_.registered = record.registered;
    after_.variant = record.variant;
    after_.provider = record.provider;
    after_.token = record.token;
    after_.data = record.data;
    after_.user = record.user;
    after_.platform = record.platform;
    after_.timezone = record.timezone;
    after_.locale = record.locale;
    after_.meta = record.meta;
    std::memcpy(after_.token_hash.data(), record.token_hash.data(), after_.token_hash.size());
    std::memcpy(after_.identity_hash.data(), record.identity_hash.data(), after_.identity_hash.size());
    after_.topics.clear();
    for (const auto& [name, origins] : record.topics) add_origin(after_.topics, topics_.number_of(app, name), origins);
    if (const auto holder = devices_.key_of(app, after_.identity_hash)) evict(app, *holder);
    evict(app, after_.key);
    create(app, after_, 0);
}

void Writer::load_binding(int64_t app, const BindingRecord& record) {
    std::vector<int64_t> numbers;
    for (const std::string_view name : record.topics) numbers.push_back(topics_.number_of(app, name));
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    topics_.bind(app, record.user, numbers);
}

}  // namespace belfry::storage
