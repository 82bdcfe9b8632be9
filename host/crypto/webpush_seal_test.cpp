// SPDX-License-Identifier: Apache-2.0
// Bodies byte for byte: RFC 8291, appendix A, and fixed vectors that http_ece decrypts; keys that must be refused.
#include "crypto/webpush_seal.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <algorithm>
#include <set>

#include "crypto/bytes.h"
#include "crypto/hash.h"
#include "crypto/jwt.h"
#include "crypto/p256_key.h"

namespace belfry::crypto {
namespace {

std::string decode(std::string_view text) {
    std::string padded;
    for (const char c : text) padded += c == '-' ? '+' : c == '_' ? '/' : c;
    const size_t padding = (4 - padded.size() % 4) % 4;
    padded.append(padding, '=');
    std::string bytes(padded.size() / 4 * 3, '\0');
    EXPECT_GE(EVP_DecodeBlock(bytes_of(bytes), bytes_of(std::string_view(padded)), static_cast<int>(padded.size())), 0);
    bytes.resize(bytes.size() - padding);
    return bytes;
}

std::string hex(const Digest& digest) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::string text;
    for (const uint8_t byte : digest) text.append({kHex[byte >> 4], kHex[byte & 15]});
    return text;
}

// RFC 8291, appendix A.
const std::string kSubscriber =
    decode("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4");
const std::string kAuth = decode("BTBZMqHH6r4Tts7J_aSIgg");
constexpr std::string_view kWatermelon = "When I grow up, I want to be a watermelon";

SealSecrets rfc_secrets() {
    SealSecrets secrets{};
    std::ranges::copy(decode("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), secrets.private_key.begin());
    std::ranges::copy(decode("DGv6ra1nlYgDCS1FRnbzlw"), secrets.salt.begin());
    return secrets;
}

struct Sealed {
    std::string name;  // row of the table of fixed vectors
    std::string payload;
    size_t padding, bytes;
    std::string sha256;
    std::string cipher = {};  // base64url of what follows the header, where it is known
};
class SealVector : public testing::TestWithParam<Sealed> {};

TEST_P(SealVector, GivesThePublishedBytes) {
    WebPushSealer sealer;
    const auto body = sealer.seal_with({kSubscriber, kAuth, GetParam().payload, GetParam().padding}, rfc_secrets());
    ASSERT_TRUE(body) << body.error().to_string();
    EXPECT_EQ(body->size(), GetParam().bytes);
    EXPECT_EQ(base64url(body->substr(0, 86)),
              "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK"
              "6PBru3jl7A8");
    if (!GetParam().cipher.empty()) {
        EXPECT_EQ(base64url(body->substr(86)), GetParam().cipher);
    }
    EXPECT_EQ(hex(sha256(*body)), GetParam().sha256);
}

INSTANTIATE_TEST_SUITE_P(
    Table, SealVector,
    testing::Values(Sealed{"rfc8291_appendix_a", std::string(kWatermelon), 0, 144,
                           "f976e174457c5111a0b05234e648bc012cb1e2b37949afce4d7b1e84752953c7",
                           "8pfeW0KbunFT06SuDKoJH9Ql87S1QUrdirN6GcG7sFz1y1sqLgVi1VhjVkHsUoEsbI_0LpXMuGvnzQ"},
                    Sealed{"empty", "", 0, 103, "0ebb6cb348d90769aedd33e79cb7ce3ca02c9e677fd42d322d920617e1b53654",
                           "p1gPSRS1XkN9hEVCx_GBFHA"},
                    Sealed{"watermelon_padded_by_100", std::string(kWatermelon), 100, 244,
                           "dfcb2e7df734e9371b664c022862fafdd63e15fb6674ee4328c529dd69662b94"},
                    Sealed{"ten_zero_bytes", std::string(10, '\0'), 0, 113,
                           "af996e083cce9436c4ceddf2d4a73f3fb7377bf34be77fef1a6fb0e537ec21b8",
                           "pf-7NWLSmhYhvNGrYgoNeMdsF8dTybVUaLQL"},
                    Sealed{"longest_3993", std::string(3993, 'A'), 0, 4096,
                           "725ced7b21c80e94a9632ef8edc536e357ee7696669ec8b02d3f282b1de38849"},
                    Sealed{"cyrillic_json", "{\"title\":\"\xD0\x9F\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82\",\"n\":1}",
                           0, 133, "2e171c5fb2bd378c7b6f03226f7287a84fa4d62eb0548a4a4d9daa4bc9b28731"}),
    [](const auto& at) { return at.param.name; });

struct BadKeys {
    std::string name, p256dh, auth, where;
};
class SealRefusal : public testing::TestWithParam<BadKeys> {};

TEST_P(SealRefusal, NamesThePlace) {
    WebPushSealer sealer;
    const Status checked = sealer.check(GetParam().p256dh, GetParam().auth);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(checked.error().where, GetParam().where) << checked.error().message;
    EXPECT_FALSE(sealer.seal({GetParam().p256dh, GetParam().auth, "x"}));
    EXPECT_TRUE(sealer.seal({kSubscriber, kAuth, "x"})) << "a refusal must not spoil the next message";
}

std::string with_first(char first, std::string point) {
    point[0] = first;
    return point;
}

INSTANTIATE_TEST_SUITE_P(
    Table, SealRefusal,
    testing::Values(
        BadKeys{"y_last_bit_flipped",
                decode("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw8"),
                kAuth, "p256dh"},
        BadKeys{"zero_zero", with_first(4, std::string(65, '\0')), kAuth, "p256dh"},
        BadKeys{"x_is_p",
                decode("BP____8AAAABAAAAAAAAAAAAAAAA________________aOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
                kAuth, "p256dh"},
        BadKeys{"x_is_p_alias_of_0",
                decode("BP____8AAAABAAAAAAAAAAAAAAAA________________ZkhceA4vg9ckM71dhKBrtlQcKvMdrocXKL-FahdPk_Q"),
                kAuth, "p256dh"},
        BadKeys{"compressed", decode("AiVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcx"), kAuth, "p256dh"},
        BadKeys{"hybrid_6", with_first(6, kSubscriber), kAuth, "p256dh"},
        BadKeys{"hybrid_7", with_first(7, kSubscriber), kAuth, "p256dh"},
        BadKeys{"infinity", std::string(1, '\0'), kAuth, "p256dh"},
        BadKeys{"infinity_of_65", std::string(65, '\0'), kAuth, "p256dh"},
        BadKeys{"bare_64_bytes", kSubscriber.substr(1), kAuth, "p256dh"},
        BadKeys{"one_byte_more", kSubscriber + std::string(1, '\0'), kAuth, "p256dh"},
        BadKeys{"empty_key", "", kAuth, "p256dh"}, BadKeys{"auth_of_15", kSubscriber, kAuth.substr(1), "auth"},
        BadKeys{"auth_of_17", kSubscriber, kAuth + "x", "auth"}, BadKeys{"auth_empty", kSubscriber, "", "auth"}),
    [](const auto& at) { return at.param.name; });

TEST(WebPushSealer, TakesThePointWithXZero) {
    WebPushSealer sealer;
    const std::string point =
        decode("BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAZkhceA4vg9ckM71dhKBrtlQcKvMdrocXKL-FahdPk_Q");
    EXPECT_TRUE(sealer.check(point, kAuth));
}

TEST(WebPushSealer, RefusesWhatServicesWouldNotTake) {
    WebPushSealer sealer;
    for (const auto& [payload, padding] : {std::pair<size_t, size_t>{3994, 0}, {3993, 1}, {0, 3994}, {1, SIZE_MAX}}) {
        const std::string text(payload, 'A');
        const auto body = sealer.seal({kSubscriber, kAuth, text, padding});
        ASSERT_FALSE(body) << payload << " + " << padding;
        EXPECT_EQ(body.error().code, ErrorCode::TooLarge);
    }
}

TEST(WebPushSealer, NeverRepeatsASaltOrAKey) {
    WebPushSealer one, two;
    std::set<std::string> salts, keys;
    for (int i = 0; i < 50; ++i) {
        for (WebPushSealer* sealer : {&one, &two}) {
            const auto body = sealer->seal({kSubscriber, kAuth, "x"});
            ASSERT_TRUE(body);
            salts.emplace(body->substr(0, 16));
            keys.emplace(body->substr(21, 65));
            EXPECT_TRUE(two.check(body->substr(21, 65), kAuth));
        }
    }
    EXPECT_EQ(salts.size(), 100U);
    EXPECT_EQ(keys.size(), 100U);
}

TEST(P256Key, IsReadFromItsScalarAndFromPem) {
    const std::string scalar = decode("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94");  // RFC 8291, appendix A
    const auto key = read_p256_key(scalar);
    ASSERT_TRUE(key) << key.error().to_string();
    EXPECT_EQ(base64url(key->public_point), base64url(kSubscriber));
    const auto again = read_p256_key(key->pem);
    ASSERT_TRUE(again) << again.error().to_string();
    EXPECT_EQ(again->public_point, key->public_point);
    EXPECT_EQ(again->scalar, scalar);
    EXPECT_TRUE(sign_jwt(JwtAlg::ES256, key->pem, "{}", "{}"));
}

TEST(P256Key, PadsAScalarThatLostItsLeadingZero) {
    const auto key = read_p256_key(std::string(31, '\x11'));
    ASSERT_TRUE(key);
    EXPECT_EQ(key->scalar, std::string(1, '\0') + std::string(31, '\x11'));
}

TEST(P256Key, RefusesWhatIsNone) {
    EXPECT_FALSE(read_p256_key(""));
    EXPECT_FALSE(read_p256_key(std::string(32, '\0')));
    EXPECT_FALSE(read_p256_key(std::string(32, '\xFF')));
    EXPECT_FALSE(read_p256_key(std::string(33, '\x11')));
    EXPECT_FALSE(read_p256_key("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"));
}

TEST(P256Key, IsMadeAnewEachTime) {
    const P256Key one = make_p256_key(), two = make_p256_key();
    EXPECT_NE(one.scalar, two.scalar);
    EXPECT_EQ(one.public_point.size(), kPointBytes);
    EXPECT_EQ(read_p256_key(one.scalar)->public_point, one.public_point);
}

}  // namespace
}  // namespace belfry::crypto
