// SPDX-License-Identifier: Apache-2.0
#include "storage_pg/outgoing.h"

#include <algorithm>

namespace belfry::storage_pg {

std::vector<std::pair<std::string_view, uint32_t>> named_topics(std::string_view packed, const TopicNames& names) {
    std::vector<TopicRef> refs;
    storage::decode_topics(packed, refs);
    std::vector<std::pair<std::string_view, uint32_t>> named;
    for (const TopicRef& ref : refs) {
        if (const auto name = names.find(ref.topic); name != names.end()) named.emplace_back(name->second, ref.origins);
    }
    std::sort(named.begin(), named.end());
    return named;
}

belfry_device Outgoing::row_of(const Row& row, uint32_t fields, const TopicNames* names,
                               std::vector<belfry_str>& topics) {
    belfry_device device = sized<belfry_device>();
    device.key = row.key();
    if ((fields & BELFRY_FIELD_PROVIDER) != 0) device.provider = str(row.provider());
    if ((fields & BELFRY_FIELD_PLATFORM) != 0) device.platform = str(row.platform());
    if ((fields & BELFRY_FIELD_TIMEZONE) != 0) device.timezone = str(row.timezone());
    if ((fields & BELFRY_FIELD_LOCALE) != 0) device.locale = str(row.locale());
    if ((fields & BELFRY_FIELD_TOKEN) != 0) {
        device.token = str(row.token());
        device.data = str(row.data());
        device.variant = row.variant();
    }
    if ((fields & BELFRY_FIELD_USER) != 0) device.user = str(row.user());
    if ((fields & BELFRY_FIELD_META) != 0) device.meta = str(row.meta());
    if ((fields & BELFRY_FIELD_TIMES) != 0) {
        device.created_unix_ms = row.created();
        device.updated_unix_ms = row.updated();
        device.registered_unix_ms = row.registered();
    }
    if ((fields & BELFRY_FIELD_TOPICS) != 0 && names != nullptr) {
        for (const auto& [name, origins] : named_topics(row.topics(), *names)) topics.push_back(str(name));
        device.topics = list_of(topics);
    }
    return device;
}

bool Outgoing::add(const Row& row, uint32_t index, std::string_view token, std::string_view data) {
    if ((fields_ & BELFRY_FIELD_TOPICS) != 0) topics_.emplace_back();
    std::vector<belfry_str> none;
    rows_.push_back(row_of(row, fields_, names_, topics_.empty() ? none : topics_.back()));
    rows_.back().index = index;
    if ((fields_ & BELFRY_FIELD_TOKEN) != 0) {
        rows_.back().token = str(token);
        rows_.back().data = str(data);
    }
    return rows_.size() < storage::kRowsPerEmit || flush();
}

bool Outgoing::flush() {
    if (!rows_.empty() && !stopped_) {
        last_key_ = rows_.back().key;
        stopped_ = !emit_.all(rows_);
    }
    rows_.clear();
    topics_.clear();
    return !stopped_;
}

}  // namespace belfry::storage_pg
