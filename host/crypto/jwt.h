// SPDX-License-Identifier: Apache-2.0
// Signed JSON Web Tokens in compact form (RFC 7515, RFC 7518). Threads: [any], no state.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace belfry::crypto {

enum class JwtAlg : uint8_t { RS256 = 1, ES256 = 2, PS256 = 3 };  // numbered as belfry_jwt_alg

// Signs {"alg":..., members of `header_json`} . `claims_json` with an unencrypted PEM key (PKCS#8 or traditional).
// ES256 takes keys on P-256, the others RSA keys of at least 2048 bits. InvalidArgument: header or claims are no JSON
// objects, or the key cannot be read or does not fit the algorithm.
Result<std::string> sign_jwt(JwtAlg alg, std::string_view key_pem, std::string_view header_json,
                             std::string_view claims_json);

}  // namespace belfry::crypto
