// SPDX-License-Identifier: Apache-2.0
// APNs' refusals: a status and {"reason": ...}, with a timestamp where a token died.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/exchange.h"

namespace belfry::simulator {

inline Reply apns_refusal(int status, std::string_view reason) {
    return {status, {{"content-type", "application/json"}}, R"({"reason":")" + std::string(reason) + "\"}"};
}

inline Reply apns_dead_token(std::string_view reason, std::int64_t since_ms) {
    return {410,
            {{"content-type", "application/json"}},
            R"({"reason":")" + std::string(reason) + R"(","timestamp":)" + std::to_string(since_ms) + "}"};
}

// What a fault rule that names only a status says.
inline std::string_view usual_apns_reason(int status) {
    switch (status) {
        case 400:
            return "BadDeviceToken";
        case 403:
            return "InvalidProviderToken";
        case 404:
            return "BadPath";
        case 405:
            return "MethodNotAllowed";
        case 413:
            return "PayloadTooLarge";
        case 429:
            return "TooManyRequests";
        case 500:
            return "InternalServerError";
        case 503:
            return "ServiceUnavailable";
        default:
            return "SomethingNew";
    }
}

}  // namespace belfry::simulator
