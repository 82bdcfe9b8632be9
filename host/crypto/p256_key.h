// SPDX-License-Identifier: Apache-2.0
// Key pairs on P-256 in the forms that VAPID needs (RFC 8292): made, or read from a scalar or PEM text.
// Threads: [any], no state.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace belfry::crypto {

struct P256Key {
    std::string pem;           // PKCS#8, without passphrase
    std::string public_point;  // 65 bytes, uncompressed
    std::string scalar;        // 32 bytes, big endian
};

P256Key make_p256_key();
// `text`: a PEM private key, or the bare private number of at most 32 bytes (some generators drop leading zeros).
// InvalidArgument: it is neither, on another curve, or no number below the curve's order.
Result<P256Key> read_p256_key(std::string_view text);

}  // namespace belfry::crypto
