// SPDX-License-Identifier: Apache-2.0
// A registration token's prefix says how its device behaves.
//
//   ok-…             accepted, as is every token of no known prefix
//   unreg-…          404 UNREGISTERED
//   bad-…            400, the registration token is not valid
//   badfield-…       400, the same said by BadRequest field message.token
//   mismatch-…       403 SENDER_ID_MISMATCH
//   apnsauth-…       401 THIRD_PARTY_AUTH_ERROR; apnsauthtext-… with the misleading text
//   dev429-…         429 of the device; dev429-K-… the first K times only
//   slow-N-…         accepted after N ms
//   r500-K-…, r503-K-…   500 or 503 the first K times, then accepted
#pragma once

#include <cstdint>
#include <string_view>

namespace belfry::simulator {

enum class TokenBehaviour : std::uint8_t {
    Accept,
    Unregistered,
    Malformed,
    MalformedByField,
    SenderMismatch,
    ThirdPartyAuth,
    ThirdPartyAuthMisleading,
    DeviceQuota,
    Internal,
    Unavailable,
};

struct TokenClass {
    TokenBehaviour behaviour = TokenBehaviour::Accept;
    std::uint32_t failures = 0;  // how often it fails before it is accepted
    bool always = false;         // it never is
    std::uint32_t slow_ms = 0;
};

TokenClass classify_token(std::string_view token);

}  // namespace belfry::simulator
