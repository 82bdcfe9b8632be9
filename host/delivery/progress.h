// SPDX-License-Identifier: Apache-2.0
// What this process has seen of running pushes: how many devices matched (for the lane) and how fast the key range
// shrinks (for the ETA). Lost at a restart, which costs a later move to `low` and an ETA that comes later.
//
// Threads: [any]; bounded, oldest forgotten first.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "audience/hashes.h"

namespace belfry::delivery {

constexpr size_t kProgressPushesMax = 4'096;

class Progress {
public:
    // A page has passed `range` of the key space and found `matched` devices. Answers how many matched so far.
    uint64_t passed(const audience::Hash16& push, uint32_t matched, int64_t range, int64_t now_mono_ns);
    // Milliseconds until `range_left` is passed at the pace seen so far.
    std::optional<int64_t> eta_ms(const audience::Hash16& push, int64_t range_left, int64_t now_mono_ns) const;

private:
    struct Seen {
        uint64_t matched = 0;
        double range = 0;
        int64_t since_mono_ns = 0;
    };
    struct Hasher {
        size_t operator()(const audience::Hash16& hash) const noexcept {
            size_t value = 0;
            std::memcpy(&value, hash.data(), sizeof value);
            return value;
        }
    };
    mutable std::mutex mutex_;
    std::unordered_map<audience::Hash16, Seen, Hasher> seen_;
    std::deque<audience::Hash16> order_;
};

}  // namespace belfry::delivery
