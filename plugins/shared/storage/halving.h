// SPDX-License-Identifier: Apache-2.0
// Where to halve the rows of a key range: exactly in small ranges, by a sample of hash buckets in large ones.
//
// Threads: those of the KeyRange.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace belfry::storage {

// The keys of a topic or of all devices of an app.
class KeyRange {
public:
    virtual ~KeyRange() = default;
    // The smallest or largest key with after < key < hi.
    virtual std::optional<int64_t> edge(int64_t after, int64_t hi, bool last) = 0;
    // The first `limit` of them, ascending.
    virtual std::vector<int64_t> keys(int64_t after, int64_t hi, uint32_t limit) = 0;
};

// A key that about halves the rows between; nothing for fewer than two rows.
std::optional<int64_t> middle_of(KeyRange& range, int64_t after, int64_t hi);

}  // namespace belfry::storage
