// SPDX-License-Identifier: Apache-2.0
#include "crypto/hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <climits>
#include <memory>

#include "base/assert.h"
#include "base/handles.h"
#include "crypto/bytes.h"

namespace belfry::crypto {
namespace {

// A digest context set up for SHA-256, one per thread: looking the algorithm up and allocating a context cost more than
// hashing a token.
class Sha256 {
public:
    Sha256() : algorithm_(EVP_MD_fetch(nullptr, "SHA256", nullptr)), context_(EVP_MD_CTX_new()) {
        BELFRY_ASSERT(context_ && EVP_DigestInit_ex(context_.get(), algorithm_.get(), nullptr) == 1);
    }
    Digest operator()(std::span<const std::string_view> pieces) {
        bool done = EVP_DigestInit_ex(context_.get(), nullptr, nullptr) == 1;
        for (const std::string_view piece : pieces)
            done = done && EVP_DigestUpdate(context_.get(), piece.data(), piece.size()) == 1;
        Digest digest;
        done = done && EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1;
        BELFRY_ASSERT(done);
        return digest;
    }

private:
    std::unique_ptr<EVP_MD, FreeWith<EVP_MD_free>> algorithm_;
    std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>> context_;
};

}  // namespace

Digest sha256(std::string_view data) noexcept {
    return sha256(std::span(&data, 1));
}

Digest sha256(std::span<const std::string_view> pieces) noexcept {
    thread_local Sha256 hash;
    return hash(pieces);
}

Digest hmac_sha256(std::string_view key, std::string_view data) noexcept {
    BELFRY_ASSERT(key.size() <= INT_MAX);
    Digest digest;
    unsigned n = 0;
    const auto* done =
        HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(data), data.size(), digest.data(), &n);
    BELFRY_ASSERT(done != nullptr && n == digest.size());
    return digest;
}

void random_bytes(void* out, size_t n) noexcept {
    auto* at = static_cast<unsigned char*>(out);
    while (n > 0) {
        const size_t part = std::min<size_t>(n, INT_MAX);
        BELFRY_ASSERT(RAND_bytes(at, static_cast<int>(part)) == 1);
        at += part;
        n -= part;
    }
}

std::string base64url(std::string_view bytes) {
    static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string text;
    text.reserve(bytes.size() * 4 / 3 + 3);
    uint32_t bits = 0;
    int held = 0;
    for (const char c : bytes) {
        bits = bits << 8 | static_cast<unsigned char>(c);
        for (held += 8; held >= 6; held -= 6) text.push_back(kAlphabet[bits >> (held - 6) & 63]);
    }
    if (held > 0) text.push_back(kAlphabet[bits << (6 - held) & 63]);
    return text;
}

}  // namespace belfry::crypto
