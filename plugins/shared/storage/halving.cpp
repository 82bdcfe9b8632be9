// SPDX-License-Identifier: Apache-2.0
#include "storage/halving.h"

#include <belfry/storage.h>

#include <algorithm>

namespace belfry::storage {

namespace {

constexpr uint32_t kCountedForSplit = 8192;  // ranges up to this size are halved exactly
constexpr uint32_t kSampledPerSlot = 4;
constexpr uint32_t kCountedPerSample = 2048;
constexpr int kBucketShift = BELFRY_KEY_SEQUENCE_BITS;
constexpr int kSlotShift = kBucketShift + 8;

// Buckets of a slot are equally full, slots are not: a few buckets of each slot are counted, and the half is looked for
// in the sums. Inside one bucket sequences are dense, so its arithmetic middle will do.
int64_t estimated_middle(KeyRange& range, int64_t first, int64_t last) {
    struct Part {
        int64_t from, to;  // of keys, both included
        double weight;
    };
    std::vector<Part> parts;
    for (std::optional<int64_t> at = first; at && *at <= last;) {
        const int64_t slot = *at >> kSlotShift;
        const int64_t slot_end = std::min(last, ((slot + 1) << kSlotShift) - 1);
        const int64_t buckets = (slot_end >> kBucketShift) - (*at >> kBucketShift) + 1;
        double counted = 0;
        for (uint32_t i = 0; i < kSampledPerSlot; ++i) {
            const int64_t bucket = (*at >> kBucketShift) + buckets * i / kSampledPerSlot;
            const int64_t after = std::max(*at, bucket << kBucketShift) - 1;
            const int64_t hi = std::min(slot_end, ((bucket + 1) << kBucketShift) - 1) + 1;
            counted += static_cast<double>(range.keys(after, hi, kCountedPerSample).size());
        }
        parts.push_back({*at, slot_end, counted * static_cast<double>(buckets)});
        at = range.edge(slot_end, last + 1, false);
    }
    double half = 0;
    for (const Part& part : parts) half += part.weight / 2;
    for (const Part& part : parts) {
        if (half <= part.weight || &part == &parts.back()) {
            const double share = part.weight > 0 ? std::min(1.0, half / part.weight) : 0.5;
            return part.from + static_cast<int64_t>(static_cast<double>(part.to - part.from) * share);
        }
        half -= part.weight;
    }
    return first + (last - first) / 2;
}

}  // namespace

std::optional<int64_t> middle_of(KeyRange& range, int64_t after, int64_t hi) {
    const auto first = range.edge(after, hi, false);
    const auto last = first ? range.edge(after, hi, true) : std::nullopt;
    if (!last || *first == *last) return std::nullopt;
    const std::vector<int64_t> keys = range.keys(after, hi, kCountedForSplit);
    if (keys.size() >= 2 && keys.size() < kCountedForSplit) return keys[keys.size() / 2];
    return std::clamp(estimated_middle(range, *first, *last), *first + 1, *last);
}

}  // namespace belfry::storage
