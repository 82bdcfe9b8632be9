// SPDX-License-Identifier: Apache-2.0
#include "state/token_ledger.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace belfry::simulator {

namespace {

constexpr std::size_t kFirstRows = 1024;  // a power of two, as all sizes here

std::uint64_t hash_of(std::string_view token) {
    const std::uint64_t hash = std::hash<std::string_view>{}(token);
    return hash == 0 ? 1 : hash;
}

}  // namespace

TokenLedger::Row& TokenLedger::row(std::string_view token) {
    if (rows_.empty()) rows_.resize(kFirstRows);
    if (used_ * 4 >= rows_.size() * 3) grow();
    const std::uint64_t hash = hash_of(token);
    Row& found = rows_[find_slot(hash)];
    if (found.hash == 0) {
        found.hash = hash;
        ++used_;
    }
    return found;
}

std::uint32_t TokenLedger::times_accepted(std::string_view token) const {
    return rows_.empty() ? 0 : rows_[find_slot(hash_of(token))].accepted;
}

TokenLedger::Summary TokenLedger::summary() const {
    Summary summary;
    for (const Row& row : rows_) {
        if (row.accepted == 0) continue;
        summary.min_times = summary.distinct == 0 ? row.accepted : std::min(summary.min_times, row.accepted);
        summary.max_times = std::max(summary.max_times, row.accepted);
        ++summary.distinct;
        summary.accepted += row.accepted;
        if (row.accepted > 1) ++summary.more_than_once;
    }
    return summary;
}

void TokenLedger::clear() {
    rows_ = {};
    used_ = 0;
}

std::size_t TokenLedger::find_slot(std::uint64_t hash) const {
    const std::size_t mask = rows_.size() - 1;
    std::size_t slot = static_cast<std::size_t>(hash) & mask;
    while (rows_[slot].hash != 0 && rows_[slot].hash != hash) slot = (slot + 1) & mask;
    return slot;
}

void TokenLedger::grow() {
    std::vector<Row> old(rows_.size() * 2);
    old.swap(rows_);
    for (const Row& row : old) {
        if (row.hash != 0) rows_[find_slot(row.hash)] = row;
    }
}

}  // namespace belfry::simulator
