// SPDX-License-Identifier: Apache-2.0
// The layout of device keys as slices see it: name slot (8 bits) | hash bucket (8) | sequence (40).
//
// Threads: [any]; pure functions.
#pragma once

#include <belfry/storage.h>

#include <algorithm>
#include <cstdint>

namespace belfry::delivery {

constexpr int64_t kBucketKeys = int64_t{1} << BELFRY_KEY_SEQUENCE_BITS;
constexpr int64_t kSlotKeys = kBucketKeys << 8;

// The first key of the name slot behind that of `key`.
constexpr int64_t next_slot(int64_t key) noexcept {
    return (std::max<int64_t>(key, 0) / kSlotKeys + 1) * kSlotKeys;
}

// Where to split (cursor, hi): at the border of a name slot, else in the middle of its buckets; 0 = not at all. Inside
// one bucket sequences are dense at the low end, so half of the keys is not half of the devices.
constexpr int64_t split_point(int64_t cursor, int64_t hi) noexcept {
    const int64_t first = cursor + 1;
    if (const int64_t border = next_slot(first); border < hi) return border;
    const int64_t low = first / kBucketKeys;
    const int64_t high = (hi - 1) / kBucketKeys;
    if (low == high) return 0;
    return (low + (high - low + 1) / 2) * kBucketKeys;
}

}  // namespace belfry::delivery
