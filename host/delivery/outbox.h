// SPDX-License-Identifier: Apache-2.0
// Memory that a provider's encode writes requests into; the engine reads it until they are answered.
//
// Threads: written by the page's worker before its block is submitted, then read by loops. Owner: BlockPool; a block
// borrows up to kBlockOutboxes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "http/plan.h"

namespace belfry::delivery {

constexpr size_t kOutboxBytes = 256 * 1024;
constexpr size_t kEncodeRoom = 160 * 1024;  // an encode call has at least so much: one request of any provider fits
constexpr uint32_t kBlockOutboxes = 4;      // 128 requests of 4 KiB and some
constexpr size_t kOutboxesMax = 64;         // per process: 16 MiB

struct OutboxRequest : http::EncodedRequest {
    std::string_view origin;  // empty: the plan's endpoint
};

struct Outbox {
    std::vector<OutboxRequest> requests;  // as many as a block has entries; never grows while requests refer to it
    size_t used = 0;                      // bytes
    char bytes[kOutboxBytes];
    bool has_room() const noexcept { return kOutboxBytes - used >= kEncodeRoom; }
};

}  // namespace belfry::delivery
