// SPDX-License-Identifier: Apache-2.0
#include <belfry/services.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <belfry/abi.hpp>

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

}  // namespace
}  // namespace belfry::services
