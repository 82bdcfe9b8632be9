// SPDX-License-Identifier: Apache-2.0
// HPACK (RFC 7541) as a client needs it that says nearly the same again and again: what stays goes into the peer's
// table once and is one byte from then on, what varies is written as it is. No Huffman codes.
//
// Threads: [loop].  Owner: DirectSession.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/output.h"

namespace belfry::http {

class HpackEncoder {
public:
    static constexpr uint32_t kTableMax = 4096;  // what every peer offers unless it says otherwise

    enum class Kind : uint8_t {
        Shared,  // the same for many requests: into the table
        Varies,  // not worth a place there
        Secret   // never to be indexed by anyone
    };

    // The peer's SETTINGS_HEADER_TABLE_SIZE. Said to the peer at the beginning of the next block.
    void limit(uint32_t bytes) noexcept;
    // Each block of fields begins with it.
    void begin(Output& out);
    void field(std::string_view name, std::string_view value, Kind kind, Output& out);
    // Another number means that references written before may mean something else by now.
    uint64_t version() const noexcept { return version_; }

private:
    struct Entry {
        std::string name, value;
        size_t size() const noexcept { return name.size() + value.size() + 32; }  // RFC 7541 4.1
    };
    size_t find(std::string_view name, std::string_view value) const noexcept;
    void insert(std::string_view name, std::string_view value);
    void shrink(size_t bytes) noexcept;  // the oldest go

    std::vector<Entry> table_;  // newest last
    size_t size_ = 0;
    uint32_t limit_ = kTableMax, lowest_ = kTableMax;  // lowest_: since the peer was told last
    bool tell_limit_ = false;
    uint64_t version_ = 0;
};

}  // namespace belfry::http
