// SPDX-License-Identifier: Apache-2.0
// The browser's half of RFC 8291: opens a body with the subscription's private key, refusing whatever the RFCs forbid.
//
// Over OpenSSL's high-level interfaces on purpose (EVP_PKEY derive, EVP_KDF): no step is done the way a fast sender
// would do it. Threads: [any], no state.
#pragma once

#include <string>
#include <string_view>

#include "certificates.h"

namespace belfry::simulator::webpush {

struct Opened {
    std::string plaintext;
    std::string problem;  // empty: it was opened
    std::string salt, sender_key;
};

inline constexpr std::size_t kBodyMax = 4096;

// RFC 8188 alone, as far as Web Push allows it: one record. `problem` says why it cannot be read.
Opened open_record(std::string_view salt, std::uint32_t record_size, std::string_view ciphertext,
                   std::string_view input_keying_material);
Opened open_message(std::string_view body, EVP_PKEY* receiver, std::string_view receiver_point, std::string_view auth);

// A key on P-256 from its 65 bytes; null when they are not an uncompressed point of the curve.
Key key_of_point(std::string_view point);
std::string point_of_key(EVP_PKEY* key);

}  // namespace belfry::simulator::webpush
