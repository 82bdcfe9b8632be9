// SPDX-License-Identifier: Apache-2.0
#include "crypto/jwt.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <climits>

#include "base/json.h"
#include "crypto/bytes.h"
#include "crypto/hash.h"

namespace belfry::crypto {
namespace {

constexpr int kRsaBitsMin = 2048;    // RFC 7518, 3.3
constexpr size_t kEcHalfBytes = 32;  // P-256: r and s, RFC 7518, 3.4

Error wrong_key(const std::string& what) {
    return error(ErrorCode::InvalidArgument, what, "key");
}

Result<Key> read_key(std::string_view pem) {
    if (pem.size() > INT_MAX) return wrong_key("too long");
    const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    // Without a callback OpenSSL would ask for a passphrase on the terminal.
    const auto no_passphrase = [](char*, int, int, void*) { return -1; };
    Key key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
    if (!key) return wrong_key("no PEM private key without passphrase: " + take_reason());
    return key;
}

Status check_key(JwtAlg alg, EVP_PKEY* key) {
    if (alg == JwtAlg::ES256) {
        char group[32] = "";
        size_t n = 0;
        const bool known = EVP_PKEY_is_a(key, "EC") == 1 && EVP_PKEY_get_group_name(key, group, sizeof group, &n) == 1;
        if (!known || std::string_view(group, n) != "prime256v1") return wrong_key("ES256 needs an EC key on P-256");
        return {};
    }
    if (EVP_PKEY_is_a(key, "RSA") != 1) return wrong_key("RS256 and PS256 need an RSA key");
    if (EVP_PKEY_get_bits(key) < kRsaBitsMin) return wrong_key("the RSA key is shorter than 2048 bits");
    return {};
}

Result<std::string> sign(JwtAlg alg, EVP_PKEY* key, std::string_view input) {
    const DigestContext context(EVP_MD_CTX_new());
    EVP_PKEY_CTX* parameters = nullptr;
    bool good = context && EVP_DigestSignInit(context.get(), &parameters, EVP_sha256(), nullptr, key) == 1;
    if (good && alg == JwtAlg::PS256) {
        good = EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) == 1;
    }
    size_t n = 0;
    std::string signature;
    good = good && EVP_DigestSign(context.get(), nullptr, &n, bytes_of(input), input.size()) == 1;
    signature.resize(n);
    good = good && EVP_DigestSign(context.get(), bytes_of(signature), &n, bytes_of(input), input.size()) == 1;
    if (!good) return error(ErrorCode::Internal, "cannot sign: " + take_reason());
    signature.resize(n);
    return signature;
}

// The DER sequence that OpenSSL writes as the two fixed-length numbers that JWS wants.
Result<std::string> fixed_length(std::string_view der) {
    using Signature = std::unique_ptr<ECDSA_SIG, FreeWith<ECDSA_SIG_free>>;
    const unsigned char* at = bytes_of(der);
    const Signature parsed(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
    std::string halves(2 * kEcHalfBytes, '\0');
    constexpr int kHalf = static_cast<int>(kEcHalfBytes);
    const bool good = parsed && BN_bn2binpad(ECDSA_SIG_get0_r(parsed.get()), bytes_of(halves), kHalf) == kHalf &&
                      BN_bn2binpad(ECDSA_SIG_get0_s(parsed.get()), bytes_of(halves) + kEcHalfBytes, kHalf) == kHalf;
    if (!good) return error(ErrorCode::Internal, "cannot write the signature: " + take_reason());
    return halves;
}

const char* name_of(JwtAlg alg) noexcept {
    switch (alg) {
        case JwtAlg::RS256:
            return "RS256";
        case JwtAlg::ES256:
            return "ES256";
        case JwtAlg::PS256:
            return "PS256";
    }
    return "";
}

Status check_object(std::string_view text, const char* where) {
    const json::Check checked = json::check(text);
    if (!checked) return error(ErrorCode::InvalidArgument, json::describe(text, checked), where);
    if (!json::root(text).is(json::Type::Object))
        return error(ErrorCode::InvalidArgument, "must be a JSON object", where);
    return {};
}

}  // namespace

Result<std::string> sign_jwt(JwtAlg alg, std::string_view key_pem, std::string_view header_json,
                             std::string_view claims_json) {
    if (Status status = check_object(header_json, "header"); !status) return status.error();
    if (Status status = check_object(claims_json, "claims"); !status) return status.error();
    const json::Value members = json::root(header_json);
    if (json::member(members, "alg"))
        return error(ErrorCode::InvalidArgument, "alg is written by the signer", "header");
    const auto key = read_key(key_pem);
    if (!key) return key.error();
    if (Status status = check_key(alg, key->get()); !status) return status.error();

    std::string header = std::string(R"({"alg":")") + name_of(alg) + '"';
    if (json::count(members) > 0) header.append(",").append(members.raw.substr(1, members.raw.size() - 2));
    std::string jwt = base64url(header + "}") + '.' + base64url(claims_json);
    auto signature = sign(alg, key->get(), jwt);
    if (signature && alg == JwtAlg::ES256) signature = fixed_length(std::string(*signature));
    if (!signature) return signature.error();
    return jwt + '.' + base64url(*signature);
}

}  // namespace belfry::crypto
