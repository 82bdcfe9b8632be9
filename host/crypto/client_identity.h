// SPDX-License-Identifier: Apache-2.0
// A client certificate with its private key, out of the files that people have: PKCS#12 or PEM.
//
// What Keychain exports is encrypted with RC2-40, which OpenSSL 3 has only in its legacy provider: that is loaded into
// a library context of this file's own, so that TLS never meets it. Threads: [any], no state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace belfry::crypto {

struct ClientIdentity {
    std::string key_pem;           // PKCS#8, not encrypted
    std::string certificates_pem;  // the key's own first, then its chain
    std::string subject_uid;       // attribute UID of its subject; may be empty
    int64_t not_after_unix_ms = 0;
};

// `bytes`: PKCS#12 as it is or in base64, or PEM with certificate and key in any order. InvalidArgument: not readable,
// wrong password, no key, or no certificate of the key.
Result<ClientIdentity> read_client_identity(std::string_view bytes, std::string_view password);

}  // namespace belfry::crypto
