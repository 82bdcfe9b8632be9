// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "crypto/bytes.h"
#include "crypto/hash.h"
#include "crypto/jwt.h"

namespace belfry::crypto {
namespace {

std::string hex(const Digest& digest) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::string text;
    for (const uint8_t byte : digest) text.append({kHex[byte >> 4], kHex[byte & 15]});
    return text;
}

TEST(Hash, MatchesPublishedVectors) {
    EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");  // FIPS 180-4
    EXPECT_EQ(hex(hmac_sha256("Jefe", "what do ya want for nothing?")),  // RFC 4231, case 2
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(base64url(""), "");
    EXPECT_EQ(base64url("f"), "Zg");
    EXPECT_EQ(base64url("fooba"), "Zm9vYmE");
    EXPECT_EQ(base64url("\xfb\xff\xbe"), "-_--");
}

TEST(Random, GivesDifferentBytes) {
    char a[32] = {}, b[32] = {};
    random_bytes(a, sizeof a);
    random_bytes(b, sizeof b);
    EXPECT_NE(std::string(a, sizeof a), std::string(b, sizeof b));
}

std::string pem_of(EVP_PKEY* key) {
    const Bio bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
    char* data = nullptr;
    const auto n = static_cast<size_t>(BIO_get_mem_data(bio.get(), &data));
    return {data, n};
}

const Key& rsa_key() {
    static const Key key(EVP_RSA_gen(2048));
    return key;
}

std::string decode(std::string_view text) {
    std::string padded;
    for (const char c : text) padded += c == '-' ? '+' : c == '_' ? '/' : c;
    const size_t padding = (4 - padded.size() % 4) % 4;
    padded.append(padding, '=');
    std::string bytes(padded.size() / 4 * 3, '\0');
    EVP_DecodeBlock(bytes_of(bytes), bytes_of(std::string_view(padded)), static_cast<int>(padded.size()));
    bytes.resize(bytes.size() - padding);
    return bytes;
}

struct Parts {
    std::string input, header, claims, signature;
};
Parts parts_of(const std::string& jwt) {
    const size_t first = jwt.find('.'), second = jwt.rfind('.');
    return {jwt.substr(0, second), decode(jwt.substr(0, first)), decode(jwt.substr(first + 1, second - first - 1)),
            decode(jwt.substr(second + 1))};
}

bool verifies(EVP_PKEY* key, bool pss, const std::string& input, const std::string& signature) {
    const DigestContext context(EVP_MD_CTX_new());
    EVP_PKEY_CTX* parameters = nullptr;
    EVP_DigestVerifyInit(context.get(), &parameters, EVP_sha256(), nullptr, key);
    if (pss) {
        EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, 32);
    }
    return EVP_DigestVerify(context.get(), bytes_of(std::string_view(signature)), signature.size(),
                            bytes_of(std::string_view(input)), input.size()) == 1;
}

TEST(Jwt, SignsRs256AndPs256) {
    for (const JwtAlg alg : {JwtAlg::RS256, JwtAlg::PS256}) {
        const auto jwt = sign_jwt(alg, pem_of(rsa_key().get()), R"({"typ":"JWT","kid":"k1"})", R"({"iss":"a@b"})");
        ASSERT_TRUE(jwt) << jwt.error().to_string();
        const Parts parts = parts_of(*jwt);
        const std::string name = alg == JwtAlg::RS256 ? "RS256" : "PS256";
        EXPECT_EQ(parts.header, R"({"alg":")" + name + R"(","typ":"JWT","kid":"k1"})");
        EXPECT_EQ(parts.claims, R"({"iss":"a@b"})");
        EXPECT_TRUE(verifies(rsa_key().get(), alg == JwtAlg::PS256, parts.input, parts.signature));
        EXPECT_FALSE(verifies(rsa_key().get(), alg == JwtAlg::PS256, parts.input + "x", parts.signature));
    }
}

TEST(Jwt, SignsEs256WithFixedLengthNumbers) {
    const Key key(EVP_EC_gen("P-256"));
    for (int i = 0; i < 20; ++i) {
        const auto jwt = sign_jwt(JwtAlg::ES256, pem_of(key.get()), "{}", "{\"i\":" + std::to_string(i) + "}");
        ASSERT_TRUE(jwt) << jwt.error().to_string();
        const Parts parts = parts_of(*jwt);
        EXPECT_EQ(parts.header, R"({"alg":"ES256"})");
        ASSERT_EQ(parts.signature.size(), 64U);
        using Signature = std::unique_ptr<ECDSA_SIG, FreeWith<ECDSA_SIG_free>>;
        const Signature numbers(ECDSA_SIG_new());
        const unsigned char* raw = bytes_of(std::string_view(parts.signature));
        ECDSA_SIG_set0(numbers.get(), BN_bin2bn(raw, 32, nullptr), BN_bin2bn(raw + 32, 32, nullptr));
        std::string der(static_cast<size_t>(i2d_ECDSA_SIG(numbers.get(), nullptr)), '\0');
        unsigned char* at = bytes_of(der);
        i2d_ECDSA_SIG(numbers.get(), &at);
        EXPECT_TRUE(verifies(key.get(), false, parts.input, der));
    }
}

TEST(Jwt, RefusesKeysThatDoNotFit) {
    const Key p256(EVP_EC_gen("P-256")), p384(EVP_EC_gen("P-384")), small(EVP_RSA_gen(1024));
    const auto where = [](JwtAlg alg, const std::string& pem) {
        const auto jwt = sign_jwt(alg, pem, "{}", "{}");
        EXPECT_FALSE(jwt);
        return jwt.error().to_string();
    };
    EXPECT_EQ(where(JwtAlg::RS256, pem_of(p256.get())), "key: RS256 and PS256 need an RSA key");
    EXPECT_EQ(where(JwtAlg::ES256, pem_of(rsa_key().get())), "key: ES256 needs an EC key on P-256");
    EXPECT_EQ(where(JwtAlg::ES256, pem_of(p384.get())), "key: ES256 needs an EC key on P-256");
    EXPECT_EQ(where(JwtAlg::RS256, pem_of(small.get())), "key: the RSA key is shorter than 2048 bits");
    EXPECT_NE(where(JwtAlg::RS256, "").find("no PEM private key"), std::string::npos);
    EXPECT_NE(where(JwtAlg::RS256, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").find("no PEM"),
              std::string::npos);
}

TEST(Jwt, RefusesWhatIsNoJsonObject) {
    const std::string pem = pem_of(rsa_key().get());
    EXPECT_EQ(sign_jwt(JwtAlg::RS256, pem, "[]", "{}").error().where, "header");
    EXPECT_EQ(sign_jwt(JwtAlg::RS256, pem, "{\"alg\":\"none\"}", "{}").error().where, "header");
    EXPECT_EQ(sign_jwt(JwtAlg::RS256, pem, "{}", "{\"a\":}").error().where, "claims");
}

}  // namespace
}  // namespace belfry::crypto
