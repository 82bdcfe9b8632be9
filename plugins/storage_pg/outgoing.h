// SPDX-License-Identifier: Apache-2.0
// Rows of a result on their way to the host: views of the server's answer, nothing is copied.
//
// Threads: those of the call.  Lives as long as the results its rows come from.
#pragma once

#include <belfry/plugin.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "storage/limits.h"
#include "storage_pg/device.h"

namespace belfry::storage_pg {

// Whether the fields need more than the columns of kNarrow.
inline bool is_wide(uint32_t fields) noexcept {
    return (fields & (BELFRY_FIELD_USER | BELFRY_FIELD_META | BELFRY_FIELD_TOPICS | BELFRY_FIELD_TIMES)) != 0;
}

using TopicNames = std::unordered_map<int64_t, std::string>;
// The names of packed topics, sorted by bytes, each with its origins.
std::vector<std::pair<std::string_view, uint32_t>> named_topics(std::string_view packed, const TopicNames& names);

class Outgoing {
public:
    Outgoing(const Emit<belfry_device>& emit, uint32_t fields, const TopicNames* names)
        : emit_(emit), fields_(fields), names_(names) {
        rows_.reserve(storage::kRowsPerEmit);
    }
    // False: the receiver wants no more.
    bool add(const Row& row, uint32_t index, std::string_view token, std::string_view data);
    bool add(const Row& row, uint32_t index) { return add(row, index, row.token(), row.data()); }
    bool flush();
    // Of the rows handed out; -1 before the first.
    int64_t last_key() const noexcept { return last_key_; }

    // A row of its own; its topics stand in `topics`.
    static belfry_device row_of(const Row& row, uint32_t fields, const TopicNames* names,
                                std::vector<belfry_str>& topics);

private:
    const Emit<belfry_device>& emit_;
    uint32_t fields_;
    const TopicNames* names_;
    bool stopped_ = false;
    int64_t last_key_ = -1;
    std::vector<belfry_device> rows_;
    std::vector<std::vector<belfry_str>> topics_;
};

}  // namespace belfry::storage_pg
