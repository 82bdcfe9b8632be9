// SPDX-License-Identifier: Apache-2.0
#include "redis/script.h"

#include <openssl/evp.h>

#include <array>
#include <belfry/services.hpp>

namespace belfry::redis {

Script::Script(std::string text) : text_(std::move(text)) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    if (EVP_Digest(text_.data(), text_.size(), digest.data(), &size, EVP_sha1(), nullptr) != 1)
        throw Refused(BELFRY_INTERNAL, {}, "OpenSSL refuses SHA-1, by which Redis names scripts");
    constexpr const char* kDigits = "0123456789abcdef";
    for (size_t i = 0; i < size; ++i) {
        hash_.push_back(kDigits[digest[i] >> 4]);
        hash_.push_back(kDigits[digest[i] & 15]);
    }
}

}  // namespace belfry::redis
