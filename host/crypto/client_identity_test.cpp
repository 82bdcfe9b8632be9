// SPDX-License-Identifier: Apache-2.0
#include "crypto/client_identity.h"

#include <gtest/gtest.h>
#include <openssl/provider.h>

#include "fakes/keychain_p12.h"

namespace belfry::crypto {
namespace {

using fakes::kKeychainP12;

constexpr int64_t kYear2100Ms = 4'102'444'800'000;

TEST(ClientIdentity, ReadsWhatKeychainExports) {
    const auto identity = read_client_identity(kKeychainP12, "secret");
    ASSERT_TRUE(identity) << identity.error().to_string();
    EXPECT_EQ(identity->subject_uid, "com.example.app");
    EXPECT_GT(identity->not_after_unix_ms, kYear2100Ms);
    EXPECT_EQ(identity->key_pem.rfind("-----BEGIN PRIVATE KEY-----", 0), 0U);
    EXPECT_EQ(identity->certificates_pem.rfind("-----BEGIN CERTIFICATE-----", 0), 0U);
    // The old ciphers stay out of the context that TLS uses.
    EXPECT_EQ(OSSL_PROVIDER_available(nullptr, "legacy"), 0);
}

TEST(ClientIdentity, ReadsPemInAnyOrder) {
    const auto from_p12 = read_client_identity(kKeychainP12, "secret");
    ASSERT_TRUE(from_p12);
    for (const std::string& pem : {from_p12->key_pem + from_p12->certificates_pem,
                                   "Bag Attributes\n" + from_p12->certificates_pem + from_p12->key_pem}) {
        const auto identity = read_client_identity(pem, "");
        ASSERT_TRUE(identity) << identity.error().to_string();
        EXPECT_EQ(identity->key_pem, from_p12->key_pem);
        EXPECT_EQ(identity->certificates_pem, from_p12->certificates_pem);
        EXPECT_EQ(identity->subject_uid, "com.example.app");
    }
}

TEST(ClientIdentity, SaysWhyAFileCannotBeUsed) {
    const auto good = read_client_identity(kKeychainP12, "secret");
    ASSERT_TRUE(good);
    const auto why = [](std::string_view bytes, std::string_view password) {
        const auto identity = read_client_identity(bytes, password);
        EXPECT_FALSE(identity);
        return identity ? "" : identity.error().to_string();
    };
    EXPECT_EQ(why(kKeychainP12, "wrong"), "certificate: the password does not open the PKCS#12 file");
    EXPECT_EQ(why(kKeychainP12, ""), "certificate: the password does not open the PKCS#12 file");
    EXPECT_EQ(why("", ""), "certificate: empty, or longer than 1 MiB");
    EXPECT_EQ(why("?!", ""), "certificate: neither PKCS#12, nor its base64, nor PEM");
    EXPECT_NE(why("0\x03garbage", "").find("no PKCS#12 file"), std::string::npos);
    EXPECT_NE(why(kKeychainP12.substr(0, 390), "secret").find("no PKCS#12 file"), std::string::npos);
    EXPECT_NE(why(good->certificates_pem, "").find("no private key"), std::string::npos);
    EXPECT_EQ(why(good->key_pem, ""), "certificate: there is no certificate of the private key in it");
}

}  // namespace
}  // namespace belfry::crypto
