// SPDX-License-Identifier: Apache-2.0
// A device token's first hex digits say how its device behaves; real ones are hex too, so these are words in hex.
//
//   5a…        a sandbox token: known there and only there; all others are production tokens. What follows decides on:
//   bad0…      400 BadDeviceToken in both environments
//   0ff…       400 DeviceTokenNotForTopic: the token of another app
//   dead…      410 Unregistered since now; dead01d…: since 2023-11-14 (1700000000123)
//   fade…      410 ExpiredToken, likewise with fade01d…
//   429K…      429 TooManyRequests the first K (one hex digit) times, 0: always
//   500K…, 503K…   500 InternalServerError or 503 ServiceUnavailable, likewise
//   510NN…     accepted after NN (two hex digits) times 10 ms
//   others     accepted
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace belfry::simulator {

enum class ApnsBehaviour : std::uint8_t {
    Accept,
    Unknown,
    OtherApp,
    Unregistered,
    Expired,
    TooMany,
    Internal,
    Unavailable
};

struct ApnsDevice {
    bool well_formed = false;  // hex, 1 to 200 bytes
    bool sandbox = false;
    ApnsBehaviour behaviour = ApnsBehaviour::Accept;
    bool long_ago = false;       // when it was unregistered
    std::uint32_t failures = 0;  // how often it fails before it is accepted; 0: always
    std::uint32_t slow_ms = 0;
};

// `token` in any case of letters.
ApnsDevice classify_apns_token(std::string_view token);

// Lower case: the same device however its token is written.
std::string normalised_apns_token(std::string_view token);

}  // namespace belfry::simulator
