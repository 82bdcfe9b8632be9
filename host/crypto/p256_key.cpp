// SPDX-License-Identifier: Apache-2.0
#include "crypto/p256_key.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include "base/assert.h"
#include "crypto/bytes.h"
#include "crypto/webpush_seal.h"

namespace belfry::crypto {
namespace {

using Number = std::unique_ptr<BIGNUM, FreeWith<BN_clear_free>>;
using Group = std::unique_ptr<EC_GROUP, FreeWith<EC_GROUP_free>>;
using Point = std::unique_ptr<EC_POINT, FreeWith<EC_POINT_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, FreeWith<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, FreeWith<OSSL_PARAM_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;

Error wrong_key(const std::string& what) {
    return error(ErrorCode::InvalidArgument, what, "key");
}

Result<P256Key> describe(EVP_PKEY* key) {
    char name[32] = "";
    size_t n = 0;
    const bool named = EVP_PKEY_is_a(key, "EC") == 1 && EVP_PKEY_get_group_name(key, name, sizeof name, &n) == 1;
    if (!named || std::string_view(name, n) != "prime256v1") return wrong_key("must be an EC key on P-256");
    BIGNUM* raw = nullptr;
    EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &raw);
    const Number scalar(raw);
    P256Key out{"", std::string(kPointBytes, '\0'), std::string(kScalarBytes, '\0')};
    constexpr int kWidth = static_cast<int>(kScalarBytes);
    bool done = scalar && BN_bn2binpad(scalar.get(), bytes_of(out.scalar), kWidth) == kWidth;
    const Group group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
    const Point point(EC_POINT_new(group.get()));
    done = done && EC_POINT_mul(group.get(), point.get(), scalar.get(), nullptr, nullptr, nullptr) == 1 &&
           EC_POINT_point2oct(group.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED, bytes_of(out.public_point),
                              kPointBytes, nullptr) == kPointBytes;
    const Bio bio(BIO_new(BIO_s_secmem()));
    done = done && bio && PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1;
    char* text = nullptr;
    const long length = bio ? BIO_get_mem_data(bio.get(), &text) : 0;
    if (!done || length <= 0) return error(ErrorCode::Internal, "cannot write the key: " + take_reason());
    out.pem.assign(text, static_cast<size_t>(length));
    return out;
}

Result<P256Key> from_scalar(std::string_view bytes) {
    const Number scalar(BN_bin2bn(bytes_of(bytes), static_cast<int>(bytes.size()), nullptr));
    const Group group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
    const Point point(EC_POINT_new(group.get()));
    BELFRY_ASSERT(scalar && point);
    if (BN_is_zero(scalar.get()) != 0 || BN_ucmp(scalar.get(), EC_GROUP_get0_order(group.get())) >= 0)
        return wrong_key("is not a private key: the number must be above 0 and below the order of P-256");
    std::string encoded(kPointBytes, '\0');
    const Builder builder(OSSL_PARAM_BLD_new());
    const bool built =
        EC_POINT_mul(group.get(), point.get(), scalar.get(), nullptr, nullptr, nullptr) == 1 &&
        EC_POINT_point2oct(group.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED, bytes_of(encoded), kPointBytes,
                           nullptr) == kPointBytes &&
        OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, encoded.data(), encoded.size()) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, scalar.get()) == 1;
    const Parameters parameters(built ? OSSL_PARAM_BLD_to_param(builder.get()) : nullptr);
    const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
    EVP_PKEY* made = nullptr;
    const bool done = parameters && context && EVP_PKEY_fromdata_init(context.get()) == 1 &&
                      EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_KEYPAIR, parameters.get()) == 1;
    const Key key(made);
    if (!done) return error(ErrorCode::Internal, "cannot make the key: " + take_reason());
    return describe(key.get());
}

}  // namespace

P256Key make_p256_key() {
    const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));  // EVP_EC_gen, without its C cast
    BELFRY_ASSERT(key != nullptr);
    return describe(key.get()).value();
}

Result<P256Key> read_p256_key(std::string_view text) {
    if (!text.empty() && text.size() <= kScalarBytes) return from_scalar(text);
    const Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(std::min<size_t>(text.size(), 64 * 1024))));
    const auto no_passphrase = [](char*, int, int, void*) { return -1; };
    const Key key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
    if (!key) return wrong_key("neither a private number of 32 bytes nor a PEM private key: " + take_reason());
    return describe(key.get());
}

}  // namespace belfry::crypto
