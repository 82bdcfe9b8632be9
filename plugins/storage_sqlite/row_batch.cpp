// SPDX-License-Identifier: Apache-2.0
#include "storage_sqlite/row_batch.h"

#include <belfry/abi.hpp>

#include <algorithm>

namespace belfry::storage {

RowBatch::RowBatch() : rows_(kRowsPerEmit, sized<belfry_device>()) {}

void RowBatch::start(belfry_emit emit, void* ctx, uint32_t fields) {
    // A row's unwanted members stay empty for the whole call, so only rows that an earlier call used are emptied.
    std::fill_n(rows_.begin(), std::max(used_, count_), sized<belfry_device>());
    used_ = 0;
    emit_ = emit;
    ctx_ = ctx;
    fields_ = fields;
    count_ = 0;
    stopped_ = false;
    words_of_ = kNoWords;
    arena_.clear();
}

bool RowBatch::flush() {
    used_ = std::max(used_, count_);
    if (count_ > 0 && !stopped_) stopped_ = emit_(ctx_, belfry_list{rows_.data(), count_, sizeof(belfry_device)}) != 0;
    count_ = 0;
    arena_.clear();
    return !stopped_;
}

belfry_device RowBatch::row_of(const DeviceView& view, uint32_t index, uint32_t fields,
                               const std::vector<std::string_view>& topics, Arena& arena) {
    belfry_device row = sized<belfry_device>();
    row.key = view.key;
    row.index = index;
    const auto wanted = [&](uint32_t field, std::string_view text) {
        return (fields & field) != 0 ? arena.keep(text) : belfry_str{"", 0};
    };
    row.provider = wanted(BELFRY_FIELD_PROVIDER, view.provider);
    row.token = wanted(BELFRY_FIELD_TOKEN, view.token);
    row.data = wanted(BELFRY_FIELD_TOKEN, view.data);
    row.user = wanted(BELFRY_FIELD_USER, view.user);
    row.platform = wanted(BELFRY_FIELD_PLATFORM, view.platform);
    row.timezone = wanted(BELFRY_FIELD_TIMEZONE, view.timezone);
    row.locale = wanted(BELFRY_FIELD_LOCALE, view.locale);
    row.meta = wanted(BELFRY_FIELD_META, view.meta);
    if ((fields & BELFRY_FIELD_TOKEN) != 0) row.variant = view.variant;
    if ((fields & BELFRY_FIELD_TIMES) != 0) {
        row.created_unix_ms = view.created;
        row.updated_unix_ms = view.updated;
        row.registered_unix_ms = view.registered;
    }
    if ((fields & BELFRY_FIELD_TOPICS) != 0 && !topics.empty()) {
        auto* names = arena.array<belfry_str>(topics.size());
        for (size_t i = 0; i < topics.size(); ++i) names[i] = arena.keep(topics[i]);
        row.topics = belfry_list{names, static_cast<uint32_t>(topics.size()), sizeof(belfry_str)};
    }
    return row;
}

bool RowBatch::add(const DeviceView& view, uint32_t index, const std::vector<std::string_view>& topics) {
    rows_[count_++] = row_of(view, index, fields_, topics, arena_);
    return flush_if_full();
}

}  // namespace belfry::storage
