// SPDX-License-Identifier: Apache-2.0
// Work items as every queue of ours stores them: bounds, flags, and what a page costs.
//
// Threads: [any]; values.
#pragma once

#include <belfry/queue.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace belfry::queue_parts {

// Lanes are numbered 1..3 in the ABI; arrays by lane leave slot 0 empty.
inline constexpr int32_t kLanes = 4;
inline constexpr uint32_t kListEntriesMax = 1000;  // entries of a list
inline constexpr uint32_t kCrashLimit = 5;         // unclean ends of owners after which an item is buried
inline constexpr uint32_t kWeightMax = 1000;
inline constexpr uint32_t kClaimMax = 1024;  // items per call

// Item flags as stored.
enum : uint32_t {
    kPicks = 1u,         // entries are indices into a token blob, else device keys
    kInitial = 2u,       // came with the push or was split off: may still discover deliveries
    kLimitsPassed = 4u,  // rate limits were charged already
    kMarked = 8u         // bundle: some member was cancelled or moved out, see its result row
};

inline constexpr bool is_stopped(int32_t state) noexcept {
    return state == BELFRY_PUSH_CANCELLED || state == BELFRY_PUSH_EXPIRED;
}
inline constexpr bool is_expired(int64_t expires_unix_ms, int64_t now_unix_ms) noexcept {
    return expires_unix_ms != 0 && expires_unix_ms <= now_unix_ms;
}
inline constexpr size_t entry_width(uint32_t flags) noexcept {
    return (flags & kPicks) != 0 ? sizeof(uint32_t) : sizeof(int64_t);
}
// Entries of a list's content; 0 for what is no list.
inline constexpr uint32_t entries_of(int32_t kind, uint32_t flags, size_t content_bytes) noexcept {
    return kind == BELFRY_WORK_LIST ? static_cast<uint32_t>(content_bytes / entry_width(flags)) : 0;
}

// Virtual time a page costs; an app with many live pushes gets no larger share for it.
inline constexpr int64_t virtual_cost(uint32_t deliveries, uint32_t live_items, uint32_t app_pushes,
                                      uint32_t weight) noexcept {
    // Resolution of virtual time, so that weights up to kWeightMax still divide.
    constexpr int64_t kVirtualUnit = 1000;
    const int64_t share = int64_t{std::max(1u, live_items)} * std::max(1u, app_pushes);
    return int64_t{deliveries} * kVirtualUnit * share / std::max(1u, weight);
}

}  // namespace belfry::queue_parts
