// SPDX-License-Identifier: Apache-2.0
// belfry.crypto/1 over crypto/.
#include <cstring>

#include "crypto/client_identity.h"
#include "crypto/hash.h"
#include "crypto/jwt.h"
#include "crypto/p256_key.h"
#include "crypto/webpush_seal.h"
#include "services/host_services.h"
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

// Sealing needs contexts that are dear to make and belong to one thread.
crypto::WebPushSealer& sealer_of_this_thread() {
    thread_local crypto::WebPushSealer sealer;
    return sealer;
}

void webpush_seal(const belfry_host*, uint32_t flags, belfry_list items, belfry_emit emit, void* ctx) noexcept {
    belfry_why* const nobody_asks = nullptr;
    guarded(nobody_asks, [&]() -> belfry_code {
        crypto::WebPushSealer& sealer = sealer_of_this_thread();
        const Rows<belfry_seal_item> rows(items);
        for (uint32_t i = 0; i < items.n; ++i) {
            const belfry_seal_item item = rows.known(i);
            auto row = sized<belfry_sealed>();
            row.index = i;
            Result<std::string_view> sealed = std::string_view();
            if ((flags & BELFRY_SEAL_CHECK_ONLY) == 0) {
                sealed = sealer.seal({view(item.p256dh), view(item.auth), view(item.payload), item.padding});
            } else if (const Status checked = sealer.check(view(item.p256dh), view(item.auth)); !checked) {
                sealed = checked.error();
            }
            const std::string reason = sealed ? std::string() : sealed.error().to_string();
            if (sealed) row.body = str(*sealed);
            row.code = sealed ? BELFRY_OK : code_of(sealed.error().code);
            row.reason = str(reason);
            if (emit(ctx, one_row(row)) != 0) break;
        }
        return BELFRY_OK;
    });
}

belfry_code p256_key(const belfry_host*, belfry_str key, belfry_emit emit, void* ctx, belfry_why* why) noexcept {
    return guarded(why, [&]() -> belfry_code {
        const Result<crypto::P256Key> made = key.n == 0 ? crypto::make_p256_key() : crypto::read_p256_key(view(key));
        if (!made) return refuse(why, made.error());
        auto row = sized<belfry_p256_key>();
        row.pem = str(made->pem);
        row.public_point = str(made->public_point);
        row.scalar = str(made->scalar);
        emit(ctx, one_row(row));
        return BELFRY_OK;
    });
}

belfry_code client_identity(const belfry_host* host, belfry_str bytes, belfry_str password, belfry_emit emit, void* ctx,
                            belfry_why* why) noexcept {
    return guarded(why, [&]() -> belfry_code {
        const auto identity = crypto::read_client_identity(view(bytes), view(password));
        if (!identity) return refuse(why, identity.error());
        auto row = sized<belfry_client_identity>();
        row.key_pem = str(std::string_view(identity->key_pem));
        row.certificates_pem = str(std::string_view(identity->certificates_pem));
        row.subject_uid = str(std::string_view(identity->subject_uid));
        row.not_after_unix_ms = identity->not_after_unix_ms;
        InstanceHost::of(host).saw_certificate(identity->not_after_unix_ms);
        emit(ctx, one_row(row));
        return BELFRY_OK;
    });
}

}  // namespace

constinit const belfry_crypto kCryptoTable = {
    sizeof(belfry_crypto), 0, &jwt_sign, &hmac_sha256, &sha256, &random, &webpush_seal, &p256_key, &client_identity};

}  // namespace belfry::services
