// SPDX-License-Identifier: Apache-2.0
#include "testing/push_sender.h"

#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "fcm/base64url.h"
#include "webpush/decrypt.h"

namespace belfry::simulator {

namespace {

unsigned char* raw(std::string& text) {
    return reinterpret_cast<unsigned char*>(text.data());
}
const unsigned char* raw(const std::string& text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

std::string hmac(const std::string& key, const std::string& data) {
    std::string out(32, '\0');
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), raw(data), data.size(), raw(out), nullptr);
    return out;
}

std::string es256(EVP_PKEY* key, const std::string& input) {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    std::string der(80, '\0');
    std::size_t length = der.size();
    EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key);
    EVP_DigestSign(context, raw(der), &length, raw(input), input.size());
    EVP_MD_CTX_free(context);
    const unsigned char* at = raw(der);
    ECDSA_SIG* numbers = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(length));
    std::string halves(64, '\0');
    BN_bn2binpad(ECDSA_SIG_get0_r(numbers), raw(halves), 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(numbers), raw(halves) + 32, 32);
    ECDSA_SIG_free(numbers);
    return halves;
}

}  // namespace

std::string PushSender::public_key() const {
    return base64url_encode(webpush::point_of_key(key_.get()));
}

std::string PushSender::token(const nlohmann::json& claims, const nlohmann::json& header) const {
    const std::string input = base64url_encode(header.dump()) + '.' + base64url_encode(claims.dump());
    return input + '.' + base64url_encode(es256(key_.get(), input));
}

std::string PushSender::authorization(const nlohmann::json& claims) const {
    return "vapid t=" + token(claims) + ", k=" + public_key();
}

// RFC 8291, section 3.4, step by step.
std::string PushSender::seal(std::string_view point, std::string_view auth, const std::string& payload) {
    const Key sender = make_ec_key();
    const Key receiver = webpush::key_of_point(point);
    const std::string sender_point = webpush::point_of_key(sender.get());
    std::string secret(32, '\0'), salt(16, '\0');
    std::size_t length = secret.size();
    EVP_PKEY_CTX* derivation = EVP_PKEY_CTX_new(sender.get(), nullptr);
    EVP_PKEY_derive_init(derivation);
    EVP_PKEY_derive_set_peer(derivation, receiver.get());
    EVP_PKEY_derive(derivation, raw(secret), &length);
    EVP_PKEY_CTX_free(derivation);
    RAND_bytes(raw(salt), 16);
    const std::string info = std::string("WebPush: info\0", 14).append(point).append(sender_point) + '\1';
    const std::string prk = hmac(salt, hmac(hmac(std::string(auth), secret), info));
    const std::string key = hmac(prk, std::string("Content-Encoding: aes128gcm\0\1", 29));
    const std::string nonce = hmac(prk, std::string("Content-Encoding: nonce\0\1", 25));
    const std::string plain = payload + '\2';
    std::string sealed(plain.size(), '\0'), tag(16, '\0');
    EVP_CIPHER_CTX* cipher = EVP_CIPHER_CTX_new();
    int written = 0;
    EVP_EncryptInit_ex(cipher, EVP_aes_128_gcm(), nullptr, raw(key), raw(nonce));
    EVP_EncryptUpdate(cipher, raw(sealed), &written, raw(plain), static_cast<int>(plain.size()));
    EVP_EncryptFinal_ex(cipher, raw(sealed) + written, &written);
    EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, 16, tag.data());
    EVP_CIPHER_CTX_free(cipher);
    return salt + std::string("\0\0\x10\0\x41", 5) + sender_point + sealed + tag;
}

}  // namespace belfry::simulator
