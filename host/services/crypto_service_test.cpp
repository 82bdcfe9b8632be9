// SPDX-License-Identifier: Apache-2.0
#include <belfry/services.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <belfry/abi.hpp>
#include <belfry/services.hpp>
#include <string>
#include <vector>

#include "fakes/rsa_key.h"
#include "fakes/service_host.h"

namespace belfry::services {
namespace {

using fakes::kTestRsaKey;
using fakes::TestHost;

TEST(CryptoService, SignsAndSaysWhyNot) {
    const TestHost host;
    const auto& crypto = host.service<belfry_crypto>(BELFRY_CRYPTO_ID);
    belfry_why why{};
    std::string jwt;
    const auto sign = [&](int32_t alg, std::string_view key) {
        return collect<belfry_str>(
            [&](auto emit, void* ctx) {
                return crypto.jwt_sign(host.abi(), alg, str(key), str("{}"), str("{\"a\":1}"), emit, ctx, &why);
            },
            [&](const belfry_str& row) { jwt = text(row); });
    };
    EXPECT_EQ(sign(BELFRY_JWT_RS256, kTestRsaKey), BELFRY_OK);
    EXPECT_EQ(std::count(jwt.begin(), jwt.end(), '.'), 2);
    EXPECT_EQ(jwt.substr(0, 21), "eyJhbGciOiJSUzI1NiJ9.");  // {"alg":"RS256"}
    EXPECT_EQ(sign(BELFRY_JWT_ES256, kTestRsaKey), BELFRY_BAD_REQUEST);
    EXPECT_STREQ(why.where, "key");
    EXPECT_EQ(sign(9, kTestRsaKey), BELFRY_BAD_REQUEST);
    EXPECT_STREQ(why.where, "alg");
}

TEST(CryptoService, HashesAndRandomises) {
    const TestHost host;
    const auto& crypto = host.service<belfry_crypto>(BELFRY_CRYPTO_ID);
    uint8_t out[32] = {}, other[32] = {};
    crypto.sha256(host.abi(), str("abc"), out);
    EXPECT_EQ(out[0], 0xba);
    EXPECT_EQ(out[31], 0xad);
    crypto.hmac_sha256(host.abi(), str("Jefe"), str("what do ya want for nothing?"), out);
    EXPECT_EQ(out[0], 0x5b);
    EXPECT_EQ(out[31], 0x43);
    crypto.random(host.abi(), out, sizeof out);
    crypto.random(host.abi(), other, sizeof other);
    EXPECT_FALSE(std::equal(out, out + 32, other));
}

TEST(CryptoService, SealsEachItemOrSaysWhyNot) {
    const TestHost host;
    const Services services(host.abi());
    const std::string point = services.p256_key().public_point;
    const std::string auth(16, 'a'), huge(3994, 'x');
    auto good = sized<belfry_seal_item>();
    good.p256dh = str(std::string_view(point));
    good.auth = str(std::string_view(auth));
    good.payload = str("hello");
    belfry_seal_item bad_key = good, bad_auth = good, long_one = good;
    bad_key.p256dh = str("nonsense");
    bad_auth.auth = str("short");
    long_one.payload = str(std::string_view(huge));
    const std::vector<belfry_seal_item> items = {good, bad_key, bad_auth, long_one, good};
    std::vector<belfry_code> codes;
    std::vector<std::string> bodies, reasons;
    const auto keep = [&](const belfry_sealed& row) {
        EXPECT_EQ(row.index, codes.size());
        codes.push_back(row.code);
        bodies.push_back(text(row.body));
        reasons.push_back(text(row.reason));
    };
    services.webpush_seal(items, keep);
    EXPECT_EQ(codes, (std::vector<belfry_code>{BELFRY_OK, BELFRY_BAD_REQUEST, BELFRY_BAD_REQUEST, BELFRY_TOO_LARGE,
                                               BELFRY_OK}));
    EXPECT_EQ(bodies[0].size(), 108U);
    EXPECT_NE(bodies[0], bodies[4]);
    EXPECT_EQ(reasons[0], "");
    EXPECT_NE(reasons[1].find("p256dh: "), std::string::npos);
    EXPECT_NE(reasons[2].find("auth: "), std::string::npos);
    codes.clear();
    bodies.clear();
    services.webpush_seal(items, keep, BELFRY_SEAL_CHECK_ONLY);
    EXPECT_EQ(codes,
              (std::vector<belfry_code>{BELFRY_OK, BELFRY_BAD_REQUEST, BELFRY_BAD_REQUEST, BELFRY_OK, BELFRY_OK}));
    EXPECT_EQ(bodies[0], "");
}

TEST(CryptoService, MakesAndReadsKeyPairs) {
    const TestHost host;
    const Services services(host.abi());
    const P256Key made = services.p256_key();
    EXPECT_EQ(services.p256_key(made.scalar).public_point, made.public_point);
    EXPECT_EQ(services.p256_key(made.pem).scalar, made.scalar);
    EXPECT_THROW(services.p256_key("no key at all, and longer than a number"), Refused);
    std::string jwt = services.jwt_sign(BELFRY_JWT_ES256, made.pem, "{}", R"({"aud":"https://push.test"})");
    EXPECT_EQ(jwt.substr(0, 21), "eyJhbGciOiJFUzI1NiJ9.");  // {"alg":"ES256"}
}

}  // namespace
}  // namespace belfry::services
