// SPDX-License-Identifier: Apache-2.0
// Who sends: the Authorization header of RFC 8292, taken apart and checked.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace belfry::simulator::webpush {

enum class VapidFault : std::uint8_t {
    None,
    Missing,   // no Authorization header
    Scheme,    // not "vapid t=..., k=..."
    Key,       // k is not a point on P-256
    Token,     // not a JWT with ES256, or the signature does not fit
    Audience,  // aud is not this origin
    Expiry,    // exp is missing or past
    TooLong,   // exp is more than a day ahead
    Subject,   // sub is not what the service wants
    WrongKey,  // not the key that the subscription was made for
};

struct Vapid {
    VapidFault fault = VapidFault::None;
    std::string key;    // k as it was sent
    std::string token;  // t as it was sent
};

struct VapidRules {
    std::string origin;           // what aud must be
    bool strict_subject = false;  // Apple: a mailto: or https: URL with a real host is a must
    std::chrono::system_clock::time_point now;
};

// For people.
std::string vapid_problem(VapidFault fault);

Vapid check_vapid(std::string_view authorization, const VapidRules& rules);

}  // namespace belfry::simulator::webpush
