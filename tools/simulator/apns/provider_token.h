// SPDX-License-Identifier: Apache-2.0
// Provider authentication: the keys of a team, and the JWTs signed with them (apns.md section 4).
//
// Threads: [one at a time].  Owner: ApnsState.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "certificates.h"

namespace belfry::simulator {

enum class ApnsEnvironment : std::uint8_t { Production, Sandbox };

struct ApnsKey {
    std::string key_id, team_id;
    Key key;
    bool production = true, sandbox = true;  // where it may be used
    std::string topic;                       // a topic-specific key's; empty: all of the team
};

// What a JWT says once its signature was verified.
struct ProviderToken {
    const ApnsKey* key = nullptr;
    std::int64_t issued_s = 0;
};

// Nothing if the text is no ES256 JWT of one of `keys` by its team: "InvalidProviderToken". The signature may be raw
// r||s or DER, in base64url or padded base64, as APNs takes both.
std::optional<ProviderToken> read_provider_token(std::string_view jwt, const std::vector<ApnsKey>& keys);

}  // namespace belfry::simulator
