// SPDX-License-Identifier: Apache-2.0
// A page of a dump: records are collected where the tables are read and leave in the call's own thread.
//
// Threads: one at a time.
#pragma once

#include <belfry/queue.h>
#include <belfry/abi.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "queue/record.h"

namespace belfry::queue_parts {

class DumpPage {
public:
    static constexpr uint32_t kRecordsMax = 1000;
    // A page ends with the record that reaches this.
    static constexpr size_t kBytesMax = 8u << 20;

    explicit DumpPage(uint32_t limit) : limit_(std::clamp<uint32_t>(limit, 1, kRecordsMax)) {}
    bool is_full() const noexcept { return records_.size() >= limit_ || bytes_ >= kBytesMax; }
    size_t room() const noexcept { return limit_ - records_.size(); }

    template <class R>
    void add(const R& record) {
        records_.push_back(encode_record(record));
        bytes_ += records_.back().size();
    }
    void emit_to(belfry_emit emit, void* ctx) const {
        std::vector<belfry_str> rows;
        for (const std::string& record : records_) rows.push_back(str(std::string_view(record)));
        if (!rows.empty()) emit(ctx, list_of(rows));
    }

private:
    const uint32_t limit_;
    size_t bytes_ = 0;
    std::vector<std::string> records_;
};

// Where the next page begins: behind the row `id` of one of the tables, which are walked in this order, and behind its
// part `sub` where rows have parts.
struct DumpPlace {
    enum Part : char { Pushes = 'p', Blobs = 't', Items = 'w', Laters = 'l', Dead = 'd', Bundles = 'u' };
    Part part = Pushes;
    int64_t id = 0, sub = 0;

    std::string text() const;
    // Empty: the beginning. Throws Refused: BAD_REQUEST.
    static DumpPlace parse(std::string_view cursor);
    // The table behind this one; false: that was the last.
    bool go_on();
};

}  // namespace belfry::queue_parts
