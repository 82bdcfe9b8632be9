// SPDX-License-Identifier: Apache-2.0
// RFC 8291 appendix A, RFC 8188 examples and broken bodies, opened by the simulator's own code.
#include "webpush/decrypt.h"

#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "fcm/base64url.h"

namespace belfry::simulator::webpush {
namespace {

std::string decode(std::string_view text) {
    return base64url_decode(text).value();
}

constexpr const char* kPoint =
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
constexpr const char* kHeader =
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl"
    "7A8";
constexpr const char* kCipher = "8pfeW0KbunFT06SuDKoJH9Ql87S1QUrdirN6GcG7sFz1y1sqLgVi1VhjVkHsUoEsbI_0LpXMuGvnzQ";

Key receiver() {
    const std::string scalar = decode("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"), point = decode(kPoint);
    BIGNUM* number = BN_bin2bn(reinterpret_cast<const unsigned char*>(scalar.data()), 32, nullptr);
    OSSL_PARAM_BLD* builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
    OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, number);
    OSSL_PARAM* parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr);
    EVP_PKEY* key = nullptr;
    EVP_PKEY_fromdata_init(context);
    EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, parameters);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    BN_clear_free(number);
    return Key(key);
}

Opened open(const std::string& body) {
    const Key key = receiver();
    return open_message(body, key.get(), decode(kPoint), decode("BTBZMqHH6r4Tts7J_aSIgg"));
}

TEST(OpenMessage, ReadsRfc8291AppendixA) {
    const Opened opened = open(decode(kHeader) + decode(kCipher));
    EXPECT_EQ(opened.problem, "");
    EXPECT_EQ(opened.plaintext, "When I grow up, I want to be a watermelon");
    EXPECT_EQ(base64url_encode(opened.salt), "DGv6ra1nlYgDCS1FRnbzlw");
}

struct Broken {
    const char* name;
    std::string body;
};
TEST(OpenMessage, RefusesBrokenBodies) {
    const std::string header = decode(kHeader), cipher = decode(kCipher);
    std::string flipped = cipher, small = header, hybrid = header, off_curve = header, short_id = header;
    flipped.back() = static_cast<char>(flipped.back() ^ 1);
    small[18] = '\0';
    small[19] = '\x11';
    hybrid[21] = '\x06';
    off_curve[85] = static_cast<char>(off_curve[85] ^ 1);
    short_id[20] = '\x40';
    const std::string one = "8pfeW0KbunFT06SuDKoJH9Ql87S1QUrdirN6GcG7sFz1y1sqLgVi1Vhg9uxmZ24fMhwfd5V_L8k_fw";
    const std::string zero = "8pfeW0KbunFT06SuDKoJH9Ql87S1QUrdirN6GcG7sFz1y1sqLgVi1VhhKIjgdDTx-G1GQJURoqiI7g";
    const Broken cases[] = {{"delimiter 1", header + decode(one)},
                            {"delimiter 0", header + decode(zero)},
                            {"last tag bit flipped", header + flipped},
                            {"record size 17", small + cipher},
                            {"hybrid sender", hybrid + cipher},
                            {"sender not on the curve", off_curve + cipher},
                            {"key id of 64", short_id + cipher},
                            {"cut in the header", header.substr(0, 20)},
                            {"cut in the key id", header.substr(0, 80)},
                            {"nothing behind the header", header},
                            {"only a tag", header + cipher.substr(0, 16)},
                            {"cut record", header + cipher.substr(0, 40)},
                            {"longer than a service takes", header + std::string(4096, 'x')}};
    for (const Broken& each : cases) EXPECT_NE(open(each.body).problem, "") << each.name;
}

TEST(OpenRecord, ReadsRfc8188Example1) {
    const std::string body = decode("I1BsxtFttlv3u_Oo94xnmwAAEAAA-NAVub2qFgBEuQKRapoZu-IxkIva3MEB1PD-ly8Thjg");
    const Opened opened = open_record(body.substr(0, 16), 4096, body.substr(21), decode("yqdlZ-tYemfogSmv7Ws5PQ"));
    EXPECT_EQ(opened.problem, "");
    EXPECT_EQ(opened.plaintext, "I am the walrus");
}

TEST(OpenRecord, RefusesSeveralRecordsAsWebPushMay) {
    const std::string body =
        decode("uNCkWiNYzKTnBN9ji3-qWAAAABkCYTHOG8chz_gnvgOqdGYovxyjuqRyJFjEDyoF1Fvkj6hQPdPHI51OEUKEpgz3SsLWIqS_uA");
    EXPECT_NE(open_record(body.substr(0, 16), 25, body.substr(23), decode("BO3ZVPxUlnLORbVGMpbT1Q")).problem, "");
    // Its first record alone says by its delimiter that another follows.
    EXPECT_NE(open_record(body.substr(0, 16), 25, body.substr(23, 25), decode("BO3ZVPxUlnLORbVGMpbT1Q")).problem, "");
}

TEST(KeyOfPoint, WantsAnUncompressedPointOfTheCurve) {
    const std::string point = decode(kPoint);
    EXPECT_TRUE(key_of_point(point));
    EXPECT_FALSE(key_of_point(point.substr(0, 64)));
    EXPECT_FALSE(key_of_point("\x06" + point.substr(1)));
    EXPECT_FALSE(key_of_point(point.substr(0, 64) + "\x0f"));
    EXPECT_EQ(point_of_key(key_of_point(point).get()), point);
}

}  // namespace
}  // namespace belfry::simulator::webpush
