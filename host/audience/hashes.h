// SPDX-License-Identifier: Apache-2.0
// The fixed-length names by which storages know tokens and identities, and the hash part of a new device's key.
//
// They are stored: changing one of these functions orphans every registered device.
// Threads: [any].
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace belfry::audience {

using Hash16 = std::array<uint8_t, 16>;

// First half of SHA-256 of the exact token: what compare-and-delete compares.
Hash16 token_hash(std::string_view token);
// First half of SHA-256(provider '\0' identity): what makes a registration unique inside an app. `provider` is the
// instance name.
Hash16 identity_hash(std::string_view provider, std::string_view identity);
// First half of SHA-256 over `parts`, at most kHashPartsMax, each followed by '\0' except the last.
inline constexpr size_t kHashPartsMax = 4;
Hash16 hash_of(std::initializer_list<std::string_view> parts);

// belfry_registration.prefix of a new device: name slot (8 bits) | hash bucket (8 bits). The bucket spreads the devices
// of an app evenly over the key space, so that halving a key range halves its devices.
uint32_t key_prefix(uint8_t slot, std::string_view app, std::string_view provider, std::string_view token);

}  // namespace belfry::audience
