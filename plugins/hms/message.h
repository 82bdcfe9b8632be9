// SPDX-License-Identifier: Apache-2.0
// From notification.hms to requests: local checks of what Huawei would refuse for every device, and where tokens and
// the time to live go. The caller's message passes byte for byte.
//
//   v1, v2: {"message": {...}}                     -> {"message":{"token":["a","b"],...}}
//   v3:     {"headers": {"push-type": "0"},
//            "message": {"payload": {...}, ...}}   -> {"target":{"token":["a","b"]},"payload":{...},...}
//   both:   {"message": {...},                     -> as above, each of what is its own
//            "v3": {"headers": ..., "message": {"payload": {...}, ...}}}
#pragma once

#include <belfry/provider.hpp>
#include <string>
#include <string_view>

#include "config.h"

namespace hms {

inline constexpr size_t kTokenMax = 4096;                   // bytes
inline constexpr size_t kBodyMax = 4096;                    // bytes of a request without its tokens
inline constexpr uint32_t kItemsMax = 1000;                 // tokens per request
inline constexpr uint32_t kTestItemsMax = 10;               // of a v3 test message
inline constexpr int64_t kHarmonyTtlMaxS = 15 * 24 * 3600;  // v3
inline constexpr uint32_t kAnswerMax = 512 * 1024;          // names every bad token of a request

// How requests are made of a payload. Spans refer to it.
struct Layout {
    belfry_span members{};              // of the message, without its braces
    uint32_t ttl_at = 0;                // where the time to live is put in, between these texts
    std::string before_ttl, after_ttl;  // empty: the message has its own
    std::string push_type;              // v3
    uint32_t items_max = kItemsMax;

    bool fills_ttl() const { return !before_ttl.empty(); }
};

// What decode must know of a push.
struct Push final : belfry::PushShape {
    using PushShape::PushShape;
    bool check_only = false;  // Huawei checks it, nobody gets it
    bool ttl_is_ours = false;
};

bool is_token(std::string_view token);

// Refused with the place in the payload. `final_size`: it has no template holes left.
Layout read_message(const belfry::Services& services, Generation generation, std::string_view payload, bool expires,
                    bool final_size);
// BAD_REQUEST or UNSUPPORTED if Huawei has no such recipient.
void check_target(Generation generation, const belfry_content& content);

// A request's body around its tokens, which are quoted and separated by commas.
struct Frame {
    std::string head, tail;
};
Frame frame_of(const Layout& layout, Generation generation, std::string_view payload, bool check_only, int64_t ttl_s);

// The plan of a push to a topic or condition.
void emit_topic_plan(const Layout& layout, const belfry_content& content, const std::string& path, int32_t endpoint,
                     const belfry::Emit<belfry_plan>& emit);

}  // namespace hms
