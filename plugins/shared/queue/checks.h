// SPDX-License-Identifier: Apache-2.0
// What every queue of ours refuses, and which pushes it may pack.
//
// Threads: [any]; pure.
#pragma once

#include <belfry/queue.h>

#include <cstddef>
#include <cstdint>
#include <optional>

#include "queue/bundle.h"

namespace belfry::queue_parts {

inline constexpr size_t kUidMax = 64;
inline constexpr size_t kAppMax = 255;
inline constexpr uint32_t kItemBytesMax = 40u << 20;  // body and blobs of one push

// OK, BAD_REQUEST or TOO_LARGE.
belfry_code check(const belfry_new_push& push);
// The push as a member of a bundle, if it is one of those that may be packed.
std::optional<Member> small_member(const belfry_new_push& push);
Fingerprint fingerprint_of(const belfry_new_push& push) noexcept;
// Bytes an enqueue will add to the store, about.
size_t bytes_of(belfry_list pushes);

// The item a checkpoint is for.
struct Shape {
    bool is_bundle = false;
    int32_t kind = 0;
    int64_t after = 0, hi = 0, blob = 0;
};
bool is_valid(const belfry_checkpoint& checkpoint, const Shape& item);

}  // namespace belfry::queue_parts
