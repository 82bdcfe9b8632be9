// SPDX-License-Identifier: Apache-2.0
// Up to 1,000 raw tokens (or one native topic or condition) as an immutable blob of the queue; lists name entries by
// index (picks).
//
// Format: version byte, entry count, one offset per entry, then the entries. An identity is stored only where it
// differs from the token. Threads: [any].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace belfry::delivery {

constexpr uint32_t kBlobEntriesMax = 1'000;

struct BlobEntry {
    std::string_view token, identity, data;
    uint32_t variant = 0;
    bool refused = false;  // the provider's validate refused it when the push was accepted; `data` says why
};

class TokenBlobWriter {
public:
    void add(const BlobEntry& entry);
    uint32_t entries() const { return static_cast<uint32_t>(offsets_.size()); }
    size_t bytes() const { return entries_.size() + offsets_.size() * sizeof(uint32_t); }
    std::string take();

private:
    std::vector<uint32_t> offsets_;
    std::string entries_;
};

// Views into the bytes it was opened on.
class TokenBlob {
public:
    static Result<TokenBlob> open(std::string_view bytes);
    uint32_t entries() const { return entries_; }
    // Corrupt: no such entry or damaged.
    Result<BlobEntry> at(uint32_t index) const;

private:
    uint32_t entries_ = 0;
    std::string_view offsets_, rest_;
};

}  // namespace belfry::delivery
