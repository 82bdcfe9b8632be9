// SPDX-License-Identifier: Apache-2.0
// From notification.webpush to what a browser gets: the text to encrypt, and the headers of RFC 8030.
#pragma once

#include <belfry/provider.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace webpush {

inline constexpr size_t kTextMax = 3993;            // bytes; 4096 after encryption
inline constexpr int64_t kTtlMax = 28 * 24 * 3600;  // seconds; what every service keeps a message for
inline constexpr int64_t kTtlDefault = kTtlMax;

struct Message {
    std::string text;
    int64_t ttl_s = kTtlDefault;
    std::string fixed_headers;  // urgency and topic as lines
};

// Throws Refused with BAD_REQUEST or TOO_LARGE and the place in the payload. `final_size`: no template holes are left.
Message read_message(const belfry::Services& services, std::string_view payload, bool final_size);

// What is left of it for this attempt, in seconds: it counts from the push's start, or from now if that is not known.
// Nothing: the message is past its time. A ttl of 0 is for one attempt, now or never.
std::optional<int64_t> ttl_left_s(const belfry_item& item, int64_t ttl_s, int64_t now_unix_ms);

}  // namespace webpush
