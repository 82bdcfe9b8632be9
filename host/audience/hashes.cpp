// SPDX-License-Identifier: Apache-2.0
#include "audience/hashes.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "base/assert.h"
#include "base/handles.h"

namespace belfry::audience {

namespace {

using MdCtx = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;

// One per thread: looking a digest up and allocating its context costs more than hashing a token.
EVP_MD_CTX* digest_context() {
    thread_local const MdCtx context(EVP_MD_CTX_new());
    BELFRY_ASSERT(context != nullptr);
    return context.get();
}

}  // namespace

Hash16 hash_of(std::initializer_list<std::string_view> parts) {
    EVP_MD_CTX* context = digest_context();
    BELFRY_ASSERT(EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1);
    bool first = true;
    for (const std::string_view part : parts) {
        if (!first) BELFRY_ASSERT(EVP_DigestUpdate(context, "", 1) == 1);
        BELFRY_ASSERT(EVP_DigestUpdate(context, part.data(), part.size()) == 1);
        first = false;
    }
    std::array<uint8_t, 32> full{};
    BELFRY_ASSERT(EVP_DigestFinal_ex(context, full.data(), nullptr) == 1);
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
