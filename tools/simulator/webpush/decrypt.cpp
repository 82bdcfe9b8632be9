// SPDX-License-Identifier: Apache-2.0
#include "webpush/decrypt.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>

#include <array>
#include <cstdint>

namespace belfry::simulator::webpush {

namespace {

constexpr std::size_t kSalt = 16, kTag = 16, kHead = 21, kPoint = 65;

const unsigned char* raw(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* raw(std::string& text) {
    return reinterpret_cast<unsigned char*>(text.data());
}

std::string hkdf(std::string_view salt, std::string_view secret, std::string_view info, std::size_t length) {
    EVP_KDF* kdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
    EVP_KDF_CTX* context = EVP_KDF_CTX_new(kdf);
    std::string digest = "SHA256", salt_bytes(salt), secret_bytes(secret), info_bytes(info), out(length, '\0');
    const std::array parameters{
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt_bytes.data(), salt_bytes.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret_bytes.data(), secret_bytes.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info_bytes.data(), info_bytes.size()),
        OSSL_PARAM_construct_end()};
    const bool done = EVP_KDF_derive(context, raw(out), length, parameters.data()) == 1;
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return done ? out : std::string();
}

std::string shared_secret(EVP_PKEY* own, EVP_PKEY* peer) {
    EVP_PKEY_CTX* context = EVP_PKEY_CTX_new(own, nullptr);
    std::string secret(32, '\0');
    std::size_t length = secret.size();
    const bool done = EVP_PKEY_derive_init(context) == 1 && EVP_PKEY_derive_set_peer(context, peer) == 1 &&
                      EVP_PKEY_derive(context, raw(secret), &length) == 1 && length == secret.size();
    EVP_PKEY_CTX_free(context);
    return done ? secret : std::string();
}

// Nothing when the tag does not fit.
bool gcm_open(std::string_view key, std::string_view nonce, std::string_view sealed, std::string& plain) {
    std::string tag(sealed.substr(sealed.size() - kTag));
    const std::string_view input = sealed.substr(0, sealed.size() - kTag);
    plain.assign(input.size(), '\0');
    EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
    int written = 0;
    int rest = 0;
    const bool done =
        EVP_DecryptInit_ex(context, EVP_aes_128_gcm(), nullptr, raw(key), raw(nonce)) == 1 &&
        EVP_DecryptUpdate(context, raw(plain), &written, raw(input), static_cast<int>(input.size())) == 1 &&
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, kTag, tag.data()) == 1 &&
        EVP_DecryptFinal_ex(context, raw(plain) + written, &rest) == 1;
    EVP_CIPHER_CTX_free(context);
    return done;
}

Opened unreadable(std::string problem) {
    Opened opened;
    opened.problem = std::move(problem);
    return opened;
}

}  // namespace

Key key_of_point(std::string_view point) {
    if (point.size() != kPoint || point[0] != '\x04') return nullptr;
    std::string group = "prime256v1", bytes(point);
    const std::array parameters{OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), 0),
                                OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, bytes.data(), bytes.size()),
                                OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr);
    EVP_PKEY* key = nullptr;
    EVP_PKEY_fromdata_init(context);
    EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, const_cast<OSSL_PARAM*>(parameters.data()));
    EVP_PKEY_CTX_free(context);
    return Key(key);
}

std::string point_of_key(EVP_PKEY* key) {
    std::string point(kPoint, '\0');
    std::size_t length = 0;
    EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, raw(point), point.size(), &length);
    point.resize(length);
    return point;
}

Opened open_record(std::string_view salt, std::uint32_t record_size, std::string_view ciphertext,
                   std::string_view input_keying_material) {
    if (record_size < 18) return unreadable("the record size is below 18");
    if (ciphertext.size() > record_size) return unreadable("more than one record");
    if (ciphertext.size() <= kTag) return unreadable("the record is shorter than a delimiter and a tag");
    using namespace std::string_view_literals;
    const std::string key = hkdf(salt, input_keying_material, "Content-Encoding: aes128gcm\0"sv, 16);
    const std::string nonce = hkdf(salt, input_keying_material, "Content-Encoding: nonce\0"sv, 12);
    Opened opened;
    if (!gcm_open(key, nonce, ciphertext, opened.plaintext)) return unreadable("the tag does not fit");
    const std::size_t end = opened.plaintext.find_last_not_of('\0');
    if (end == std::string::npos) return unreadable("no delimiter");
    if (opened.plaintext[end] != '\x02') return unreadable("the delimiter is not that of a last record");
    opened.plaintext.resize(end);
    return opened;
}

Opened open_message(std::string_view body, EVP_PKEY* receiver, std::string_view receiver_point, std::string_view auth) {
    if (body.size() > kBodyMax) return unreadable("longer than 4096 bytes");
    if (body.size() < kHead) return unreadable("the header is cut");
    const std::string_view salt = body.substr(0, kSalt);
    std::uint32_t record_size = 0;
    for (std::size_t i = 0; i < 4; ++i) record_size = record_size << 8 | static_cast<unsigned char>(body[kSalt + i]);
    if (static_cast<unsigned char>(body[kHead - 1]) != kPoint) return unreadable("the key id is not 65 bytes long");
    if (body.size() < kHead + kPoint) return unreadable("the key id is cut");
    const std::string_view sender_point = body.substr(kHead, kPoint);
    const Key sender = key_of_point(sender_point);
    if (!sender) return unreadable("the key id is not an uncompressed point on P-256");
    const std::string secret = shared_secret(receiver, sender.get());
    if (secret.empty()) return unreadable("no shared secret");
    const std::string info = std::string("WebPush: info\0", 14).append(receiver_point).append(sender_point);
    const std::string material = hkdf(auth, secret, info, 32);
    Opened opened = open_record(salt, record_size, body.substr(kHead + kPoint), material);
    opened.salt = salt;
    opened.sender_key = sender_point;
    return opened;
}

}  // namespace belfry::simulator::webpush
