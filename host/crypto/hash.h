// SPDX-License-Identifier: Apache-2.0
// SHA-256, HMAC-SHA-256, random bytes and base64url, over OpenSSL. Threads: [any]; each keeps one digest context.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace belfry::crypto {

using Digest = std::array<uint8_t, 32>;

Digest sha256(std::string_view data) noexcept;
// Of the pieces one behind the other.
Digest sha256(std::span<const std::string_view> pieces) noexcept;
Digest hmac_sha256(std::string_view key, std::string_view data) noexcept;
// Cryptographically random; ends the process if the system has no randomness to give.
void random_bytes(void* out, size_t n) noexcept;
// RFC 4648, section 5, without padding.
std::string base64url(std::string_view bytes);

}  // namespace belfry::crypto
