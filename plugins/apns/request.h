// SPDX-License-Identifier: Apache-2.0
// From notification.apns, {"headers": {...}, "payload": {...}}, to a request: the caller's headers and payload go
// through untouched; topic, push type, priority and expiration are filled in only where the caller gave none.
#pragma once

#include <array>
#include <belfry/provider.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace apns {

inline constexpr size_t kTokenBytesMax = 200;     // of the token itself; Apple promises no length
inline constexpr size_t kPayloadMax = 4096;       // bytes
inline constexpr size_t kLargePayloadMax = 5120;  // of voip and broadcasts
inline constexpr size_t kCollapseIdMax = 64;      // bytes

// A push after its check, and what decode must know of it.
struct Push final : belfry::PreparedBase {
    struct Header {
        std::string name, value;
        belfry_span inside;  // the value in the payload's text, without quotes; empty if it is ours
    };
    std::vector<Header> headers;  // constant ones
    belfry_span payload{};
    std::string bundle;  // the topic without the push type's suffix, for broadcasts
    bool to_channel = false;
    bool rendered = false;       // devices get different payloads
    bool topic_is_ours = false;  // the configured one, as it is: if APNs refuses it, the configuration is wrong
    bool unknown_type = false;   // newer than this plugin
    bool wants_id = true, wants_expiration = false;

    static const Push& of(const belfry_prepared* prepared) {
        return static_cast<const Push&>(*static_cast<const PreparedBase*>(static_cast<const void*>(prepared)));
    }
};

// Whether it can be a bundle id, as paths have them.
bool is_bundle(std::string_view text);

// The token in lower case. Refused: not hex, or too long.
std::string normal_token(std::string_view token);

// Refused with the place in the payload. `topic`: the configured one, may be empty.
std::unique_ptr<Push> check_content(const belfry::Services& services, const belfry_content& content,
                                    const std::string& topic);

// One plan, for devices of `variant`; for a channel kOnceMore is the plan without storage. `credential`: -1 if a
// certificate speaks for us.
void emit_plan(const Push& push, const belfry_content& content, uint32_t variant, int32_t endpoint, int32_t credential,
               const belfry::Emit<belfry_plan>& emit);

}  // namespace apns
