// SPDX-License-Identifier: Apache-2.0
// A page of a dump on its way out.
//
// Threads: those of the call.
#pragma once

#include <belfry/storage.h>
#include <belfry/abi.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "storage/limits.h"
#include "storage/record.h"

namespace belfry::storage {

class DumpPage {
public:
    DumpPage(uint32_t limit, belfry_emit emit, void* ctx) : room_(limit), emit_(emit), ctx_(ctx) {}
    bool is_full() const noexcept { return room_ == 0 || stopped_; }

    template <class R>
    void add(const R& record) {
        encode_record(record, bytes_);
        ends_.push_back(bytes_.size());
        --room_;
        if (bytes_.size() >= kBytesPerEmit || ends_.size() == kRowsPerEmit) flush();
    }
    void flush() {
        std::vector<belfry_str> rows;
        size_t at = 0;
        for (const size_t end : ends_) {
            rows.push_back(belfry_str{bytes_.data() + at, end - at});
            at = end;
        }
        if (!stopped_ && !rows.empty()) stopped_ = emit_(ctx_, list_of(rows)) != 0;
        bytes_.clear();
        ends_.clear();
    }

private:
    // About so many bytes leave in one emit call.
    static constexpr size_t kBytesPerEmit = 1 << 20;

    uint32_t room_;
    belfry_emit emit_;
    void* ctx_;
    bool stopped_ = false;
    std::string bytes_;
    std::vector<size_t> ends_;
};

}  // namespace belfry::storage
