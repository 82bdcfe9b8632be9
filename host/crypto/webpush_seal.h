// SPDX-License-Identifier: Apache-2.0
// Web Push message encryption: RFC 8291 over RFC 8188 "aes128gcm", one record, a fresh key pair and salt per message.
//
// The cost is one multiplication on P-256 by the subscription's point; everything around it is kept small: the point
// is checked once, at import (65 bytes, uncompressed, on the curve: cofactor 1 needs no more), contexts are kept,
// HKDF is plain HMAC, randomness is drawn for several messages at once. Measured by bench/perf4_seal.
// Not here: what goes into the payload, HTTP headers, VAPID (plugins/webpush).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace belfry::crypto {

inline constexpr size_t kPointBytes = 65, kAuthBytes = 16, kSaltBytes = 16, kScalarBytes = 32;
inline constexpr size_t kSealedMax = 4096;    // bytes of a body that every push service takes, RFC 8030, 7.2
inline constexpr size_t kSealOverhead = 103;  // 86 of header, delimiter, tag
inline constexpr size_t kSealPayloadMax = kSealedMax - kSealOverhead;

// One message for one subscription. Views live for the call.
struct SealInput {
    std::string_view p256dh;  // the subscription's public key: 65 bytes, uncompressed
    std::string_view auth;    // its secret: 16 bytes
    std::string_view payload;
    size_t padding = 0;  // zero bytes behind the payload, inside the encryption: hides its length
};

// What makes a message unlike any other. Only tests choose it.
struct SealSecrets {
    std::array<uint8_t, kScalarBytes> private_key;  // big endian, 1 .. order - 1
    std::array<uint8_t, kSaltBytes> salt;
};

// Threads: one at a time; make one per thread, they are dear.
class WebPushSealer {
public:
    WebPushSealer();
    ~WebPushSealer();
    WebPushSealer(const WebPushSealer&) = delete;
    WebPushSealer& operator=(const WebPushSealer&) = delete;

    // Whether messages can be sealed for these keys. InvalidArgument, `where` p256dh or auth, otherwise.
    Status check(std::string_view p256dh, std::string_view auth);
    // The request's body, which stays until the next call. InvalidArgument as check; TooLarge: payload and padding are
    // more than kSealPayloadMax bytes.
    Result<std::string_view> seal(const SealInput& input);
    Result<std::string_view> seal_with(const SealInput& input, const SealSecrets& secrets);

private:
    struct Contexts;
    std::unique_ptr<Contexts> contexts_;
};

}  // namespace belfry::crypto
