// SPDX-License-Identifier: Apache-2.0
// belfry.crypto/1 over crypto/.
#include <cstring>

#include "crypto/hash.h"
#include "crypto/jwt.h"
#include "services/tables.h"

namespace belfry::services {
namespace {

belfry_code jwt_sign(const belfry_host*, int32_t alg, belfry_str key_pem, belfry_str header_json,
                     belfry_str claims_json, belfry_emit emit, void* ctx, belfry_why* why) noexcept {
    if (alg < BELFRY_JWT_RS256 || alg > BELFRY_JWT_PS256)
        return because(why, BELFRY_BAD_REQUEST, "alg", "unknown algorithm");
    return guarded(why, [&]() -> belfry_code {
        const auto jwt =
            crypto::sign_jwt(static_cast<crypto::JwtAlg>(alg), view(key_pem), view(header_json), view(claims_json));
        if (!jwt) return refuse(why, jwt.error());
        emit_text(std::string_view(*jwt), emit, ctx);
        return BELFRY_OK;
    });
}

void hmac_sha256(const belfry_host*, belfry_str key, belfry_str data, uint8_t out[32]) noexcept {
    const crypto::Digest digest = crypto::hmac_sha256(view(key), view(data));
    std::memcpy(out, digest.data(), digest.size());
}

void sha256(const belfry_host*, belfry_str data, uint8_t out[32]) noexcept {
    const crypto::Digest digest = crypto::sha256(view(data));
    std::memcpy(out, digest.data(), digest.size());
}

void random(const belfry_host*, void* out, uint32_t n) noexcept {
    crypto::random_bytes(out, n);
}

}  // namespace

constinit const belfry_crypto kCryptoTable = {sizeof(belfry_crypto), 0, &jwt_sign, &hmac_sha256, &sha256, &random};

}  // namespace belfry::services
