// SPDX-License-Identifier: Apache-2.0
#include "apns/provider_token.h"

#include <gtest/gtest.h>
#include <openssl/ecdsa.h>

#include "fcm/base64url.h"
#include "testing/assertion.h"

namespace belfry::simulator {
namespace {

using nlohmann::json;

std::vector<ApnsKey> one_key() {
    std::vector<ApnsKey> keys;
    keys.push_back({"KEY1", "TEAM1", make_ec_key(), true, true, ""});
    return keys;
}

std::string jwt_of(const ApnsKey& key, const json& more = json::object()) {
    json claims = {{"iss", key.team_id}, {"iat", 1'800'000'000}};
    claims.update(more);
    return sign_jwt(key.key.get(), {{"alg", "ES256"}, {"kid", key.key_id}}, claims);
}

// The same JWT with the two fixed-length numbers that JWS asks for.
std::string with_raw_signature(const std::string& jwt) {
    const std::size_t dot = jwt.rfind('.');
    const std::string der = *base64url_decode(jwt.substr(dot + 1));
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> pair(
        d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())), ECDSA_SIG_free);
    std::string raw(64, '\0');
    BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), reinterpret_cast<unsigned char*>(raw.data()), 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), reinterpret_cast<unsigned char*>(raw.data()) + 32, 32);
    return jwt.substr(0, dot + 1) + base64url_encode(raw);
}

TEST(ProviderToken, A30_TakesRawAndDerSignatures) {
    const auto keys = one_key();
    const std::string der = jwt_of(keys[0]);
    for (const std::string& jwt : {der, with_raw_signature(der), der + "=="}) {
        const auto token = read_provider_token(jwt, keys);
        ASSERT_TRUE(token.has_value()) << jwt;
        EXPECT_EQ(token->key, keys.data());
        EXPECT_EQ(token->issued_s, 1'800'000'000);
    }
}

TEST(ProviderToken, RefusesWhatApnsRefuses) {
    const auto keys = one_key(), others = one_key();
    const std::string good = jwt_of(keys[0]);
    EXPECT_FALSE(read_provider_token(jwt_of(others[0]), keys)) << "another key under the same id";
    EXPECT_FALSE(read_provider_token(jwt_of(keys[0], {{"iss", "TEAM2"}}), keys));
    EXPECT_FALSE(read_provider_token(jwt_of(keys[0], {{"iat", "1800000000"}}), keys));
    EXPECT_FALSE(read_provider_token(jwt_of(keys[0], {{"iat", 1.5}}), keys));
    EXPECT_FALSE(read_provider_token(good + "x", keys));
    EXPECT_FALSE(read_provider_token(good + ".x", keys));
    EXPECT_FALSE(read_provider_token("a.b", keys));
    EXPECT_FALSE(read_provider_token("", keys));
    const std::string claims = good.substr(good.find('.'));
    EXPECT_FALSE(read_provider_token(base64url_encode(R"({"alg":"none","kid":"KEY1"})") + claims, keys));
}

}  // namespace
}  // namespace belfry::simulator
