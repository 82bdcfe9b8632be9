// SPDX-License-Identifier: Apache-2.0
// Keys that come from outside: a browser's subscription, and an operator's private keys and certificates. Input: one
// byte that says which, then the bytes.
#include <array>
#include <string>

#include "crypto/client_identity.h"
#include "crypto/p256_key.h"
#include "crypto/webpush_seal.h"
#include "fuzz/fuzz.h"

namespace {

using belfry::fuzz::Input;
using belfry::fuzz::require;
namespace crypto = belfry::crypto;

void try_subscription(Input& input) {
    static crypto::WebPushSealer sealer;
    crypto::SealInput message;
    message.padding = input.number() % 5000;
    message.p256dh = input.text(crypto::kPointBytes);
    message.auth = input.text(input.byte() % 32);
    message.payload = input.rest();
    const bool usable = static_cast<bool>(sealer.check(message.p256dh, message.auth));
    const auto sealed = sealer.seal(message);
    if (sealed) {
        require(usable && sealed->size() == message.payload.size() + message.padding + crypto::kSealOverhead);
    } else {
        const bool long_one = message.payload.size() + message.padding > crypto::kSealPayloadMax;
        require(!sealed.error().message.empty() && (!usable || long_one));
    }
}

void try_private_key(std::string_view text) {
    const auto key = crypto::read_p256_key(text);
    if (!key) return;
    require(key->public_point.size() == crypto::kPointBytes && key->scalar.size() == crypto::kScalarBytes);
    const auto again = crypto::read_p256_key(key->pem);
    require(again && again->public_point == key->public_point && again->scalar == key->scalar);
}

// PEM only: a PKCS#12 file says itself how often its key is hashed, and this would only wait for it.
void try_identity(std::string_view bytes) {
    if (bytes.find("-----BEGIN") == std::string_view::npos) return;
    const auto identity = crypto::read_client_identity(bytes, "password");
    if (!identity) {
        require(!identity.error().message.empty());
        return;
    }
    require(static_cast<bool>(crypto::read_client_identity(identity->key_pem + identity->certificates_pem, "")));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Input input(data, size);
    switch (input.byte() % 3) {
        case 0:
            try_subscription(input);
            break;
        case 1:
            try_private_key(input.rest());
            break;
        default:
            try_identity(input.rest());
    }
    return 0;
}
