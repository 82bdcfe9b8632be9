// SPDX-License-Identifier: Apache-2.0
#include "audience/hashes.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "crypto/hash.h"

namespace belfry::audience {

Hash16 hash_of(std::initializer_list<std::string_view> parts) {
    using namespace std::string_view_literals;
    std::array<std::string_view, 2 * kHashPartsMax> pieces;
    BELFRY_ASSERT(parts.size() <= kHashPartsMax);
    size_t n = 0;
    for (const std::string_view part : parts) {
        if (n > 0) pieces[n++] = "\0"sv;
        pieces[n++] = part;
    }
    const crypto::Digest full = crypto::sha256(std::span(pieces).first(n));
    Hash16 half{};
    std::copy_n(full.begin(), half.size(), half.begin());
    return half;
}

Hash16 token_hash(std::string_view token) {
    return hash_of({token});
}

Hash16 identity_hash(std::string_view provider, std::string_view identity) {
    return hash_of({provider, identity});
}

uint32_t key_prefix(uint8_t slot, std::string_view app, std::string_view provider, std::string_view token) {
    return static_cast<uint32_t>(slot) << 8 | hash_of({app, provider, token})[0];
}

}  // namespace belfry::audience
