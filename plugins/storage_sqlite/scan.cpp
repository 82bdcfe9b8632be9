// SPDX-License-Identifier: Apache-2.0
// Fan-out reads: pages of a topic or of all devices, devices by value, and where to halve a range.
#include <belfry/abi.hpp>

#include <algorithm>
#include <cstring>

#include "storage/limits.h"
#include "storage_sqlite/reader.h"

namespace belfry::storage {

using sqlite::Failure;

namespace {

void check(const belfry_scan& scan) {
    if (scan.by != BELFRY_BY_ALL && scan.by != BELFRY_BY_TOPIC) {
        throw Failure(BELFRY_BAD_REQUEST, "a scan is by ALL or by TOPIC", "by");
    }
    if (scan.want == 0 || scan.budget_rows == 0)
        throw Failure(BELFRY_BAD_REQUEST, "a page of no rows cannot advance", "want");
    if (scan.filter.n != 0) throw Failure(BELFRY_UNSUPPORTED, "this storage does not evaluate filters", "filter");
}

}  // namespace

void Reader::scan(const belfry_scan& scan, const InTime& in_time, belfry_emit emit, void* ctx, int64_t* cursor,
                  int32_t* end) {
    check(scan);
    begin_call();
    // What a call without rows answers: all of the range is done.
    *cursor = std::max(scan.after, scan.hi - 1);
    *end = 1;
    const Snapshot snapshot(*this);
    const auto app = app_number(view(scan.app));
    if (!app) return;
    batch_.start(emit, ctx, scan.fields);
    const uint32_t limit = std::min(scan.want, scan.budget_rows);
    *cursor = scan.after;
    const bool complete = scan.by == BELFRY_BY_TOPIC ? scan_topic(*app, scan, limit, in_time, cursor)
                                                     : scan_all(*app, scan, limit, in_time, cursor);
    batch_.flush();
    if (complete) {
        *cursor = std::max(scan.after, scan.hi - 1);
        return;
    }
    *end = 0;
    if (*cursor == scan.after) throw Failure(BELFRY_DEADLINE, "no row was read before the deadline");
}

// True: the range holds no more rows. One row more than wanted is asked for to know that.
bool Reader::scan_topic(int64_t app, const belfry_scan& scan, uint32_t limit, const InTime& in_time, int64_t* cursor) {
    const auto topic = topic_number(app, view(scan.value));
    if (!topic) return true;
    const bool narrow = is_narrow(scan.fields);
    const sqlite::ResetAtEnd reset(scan_topic_);
    scan_topic_.with(*topic, scan.after, scan.hi, int64_t{limit} + 1);
    for (uint32_t seen = 0; scan_topic_.step(); ++seen) {
        if (seen == limit || (seen % kRowsPerEmit == 0 && !in_time())) return false;
        const int64_t key = scan_topic_.integer(0);
        const Traits traits(scan_topic_.integer(1));
        const std::string_view bytes = scan_topic_.blob(2);
        bool more = true;
        if (narrow && !bytes.empty()) {
            const auto [token, data] = unpack_token(bytes, traits.has_data());
            more = batch_.add_fanout(key, traits, token, data, words_);
        } else {
            DeviceView view;
            if (row(app, key, narrow ? Columns::Narrow : Columns::Wide, &view)) more = add_row(view, 0);
        }
        *cursor = key;
        if (!more) return false;
    }
    return true;
}

bool Reader::scan_all(int64_t app, const belfry_scan& scan, uint32_t limit, const InTime& in_time, int64_t* cursor) {
    const Columns columns = is_narrow(scan.fields) ? Columns::Narrow : Columns::Wide;
    sqlite::Statement& statement = columns == Columns::Narrow ? scan_narrow_ : scan_wide_;
    const sqlite::ResetAtEnd reset(statement);
    statement.with(app, scan.after, scan.hi, int64_t{limit} + 1);
    for (uint32_t seen = 0; statement.step(); ++seen) {
        if (seen == limit || (seen % kRowsPerEmit == 0 && !in_time())) return false;
        const DeviceView view = view_of(statement, columns, words_);
        const bool more = add_row(view, 0);
        *cursor = view.key;
        if (!more) return false;
    }
    return true;
}

void Reader::fetch(std::string_view app, int32_t by, belfry_list values, uint32_t each, uint32_t fields,
                   const InTime& in_time, belfry_emit emit, void* ctx) {
    if (by != BELFRY_BY_KEY && by != BELFRY_BY_USER && by != BELFRY_BY_IDENTITY) {
        throw Failure(BELFRY_BAD_REQUEST, "devices are fetched by KEY, USER or IDENTITY", "by");
    }
    begin_call();
    const Snapshot snapshot(*this);
    const auto number = app_number(app);
    if (!number || each == 0) return;
    batch_.start(emit, ctx, fields);
    const Columns columns = is_narrow(fields) ? Columns::Narrow : Columns::Wide;
    const auto add = [&](int64_t key, uint32_t index) {
        DeviceView view;
        return !row(*number, key, columns, &view) || add_row(view, index);
    };
    for (uint32_t i = 0; i < values.n; ++i) {
        if (i % kRowsPerEmit == 0 && !in_time())
            throw Failure(BELFRY_DEADLINE, "not all values were read before the deadline");
        bool more = true;
        if (by == BELFRY_BY_KEY) {
            more = add(Rows<int64_t>(values)[i], i);
        } else if (by == BELFRY_BY_IDENTITY) {
            const sqlite::ResetAtEnd reset(key_by_identity_);
            const auto& hash = Rows<Hash>(values)[i];
            if (key_by_identity_.with(*number, blob_of(hash)).step()) more = add(key_by_identity_.integer(0), i);
        } else {
            const sqlite::ResetAtEnd reset(user_keys_);
            user_keys_.with(*number, view(Rows<belfry_str>(values)[i]), -1, each);
            while (more && user_keys_.step()) more = add(user_keys_.integer(0), i);
        }
        if (!more) return;
    }
    batch_.flush();
}

std::optional<Reader::Range> Reader::range_of(const belfry_scan& scan) {
    const auto app = app_number(view(scan.app));
    if (!app || scan.by == BELFRY_BY_ALL) return app ? std::optional(Range(*this, false, *app)) : std::nullopt;
    const auto topic = topic_number(*app, view(scan.value));
    return topic ? std::optional(Range(*this, true, *topic)) : std::nullopt;
}

std::optional<int64_t> Reader::Range::edge(int64_t after, int64_t hi, bool last) {
    sqlite::Statement& statement = by_topic_ ? (last ? reader_.last_of_topic_ : reader_.first_of_topic_)
                                             : (last ? reader_.last_of_app_ : reader_.first_of_app_);
    const sqlite::ResetAtEnd reset(statement);
    if (!statement.with(number_, after, hi).step() || statement.is_null(0)) return std::nullopt;
    return statement.integer(0);
}

std::vector<int64_t> Reader::Range::keys(int64_t after, int64_t hi, uint32_t limit) {
    std::vector<int64_t> keys;
    sqlite::Statement& statement = by_topic_ ? reader_.keys_of_topic_ : reader_.keys_of_app_;
    statement.with(number_, after, hi, limit);
    while (statement.step()) keys.push_back(statement.integer(0));
    return keys;
}

int64_t Reader::split(const belfry_scan& scan) {
    check(scan);
    const Snapshot snapshot(*this);
    auto range = range_of(scan);
    const auto middle = range ? middle_of(*range, scan.after, scan.hi) : std::nullopt;
    if (!middle) throw Failure(BELFRY_NOT_FOUND, "fewer than two rows: nothing to halve");
    return *middle;
}

}  // namespace belfry::storage
