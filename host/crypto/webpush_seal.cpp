// SPDX-License-Identifier: Apache-2.0
#include "crypto/webpush_seal.h"

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "crypto/bytes.h"

namespace belfry::crypto {
namespace {

using Group = std::unique_ptr<EC_GROUP, FreeWith<EC_GROUP_free>>;
using Point = std::unique_ptr<EC_POINT, FreeWith<EC_POINT_free>>;
using Number = std::unique_ptr<BIGNUM, FreeWith<BN_clear_free>>;
using NumberContext = std::unique_ptr<BN_CTX, FreeWith<BN_CTX_free>>;
using Digester = std::unique_ptr<EVP_MD, FreeWith<EVP_MD_free>>;
using Cipher = std::unique_ptr<EVP_CIPHER, FreeWith<EVP_CIPHER_free>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeWith<EVP_CIPHER_CTX_free>>;

constexpr uint8_t kUncompressed = 4;  // first byte of a point, SEC 1, 2.3.3
constexpr size_t kBlockBytes = 64, kDigestBytes = 32, kKeyBytes = 16, kNonceBytes = 12, kTagBytes = 16;
constexpr size_t kHeaderBytes = kSaltBytes + 4 + 1 + kPointBytes;
constexpr uint8_t kLastRecord = 2;  // delimiter, RFC 8188, 2
constexpr uint32_t kRecordBytes = kSealedMax;
constexpr size_t kDrawMessages = 16;  // randomness is drawn for so many at once

// RFC 8291, 3.4, and RFC 8188, 2.2 and 2.3; each with HKDF's block number 1 behind it.
constexpr std::string_view kKeyInfo{"WebPush: info\0", 14};
constexpr std::string_view kCekInfo{"Content-Encoding: aes128gcm\0\1", 29};
constexpr std::string_view kNonceInfo{"Content-Encoding: nonce\0\1", 25};

template <size_t N>
std::string_view view_of(const std::array<uint8_t, N>& bytes) noexcept {
    return {static_cast<const char*>(static_cast<const void*>(bytes.data())), N};
}

// Bytes that are wiped when they go.
template <size_t N>
struct Secret : std::array<uint8_t, N> {
    ~Secret() { OPENSSL_cleanse(this->data(), N); }
};

// HMAC-SHA-256 over a kept context: HKDF needs nothing else (RFC 5869, and no output here is longer than one block).
class Hmac {
public:
    Hmac() : digester_(EVP_MD_fetch(nullptr, "SHA256", nullptr)), context_(EVP_MD_CTX_new()) {
        BELFRY_ASSERT(context_ && EVP_DigestInit_ex(context_.get(), digester_.get(), nullptr) == 1);
    }
    // `key` is at most a block long. `out` may be the key's own place.
    void operator()(std::string_view key, std::string_view data, std::array<uint8_t, kDigestBytes>& out) {
        Secret<kBlockBytes> pad;
        Secret<kDigestBytes> inner;
        BELFRY_ASSERT(key.size() <= kBlockBytes);
        pad.fill(0);
        std::memcpy(pad.data(), key.data(), key.size());
        for (uint8_t& byte : pad) byte ^= 0x36;
        digest(view_of<kBlockBytes>(pad), data, inner.data());
        for (uint8_t& byte : pad) byte ^= 0x36 ^ 0x5C;
        digest(view_of<kBlockBytes>(pad), view_of<kDigestBytes>(inner), out.data());
    }

private:
    void digest(std::string_view first, std::string_view second, uint8_t* out) {
        EVP_MD_CTX* context = context_.get();
        const bool done = EVP_DigestInit_ex(context, nullptr, nullptr) == 1 &&
                          EVP_DigestUpdate(context, first.data(), first.size()) == 1 &&
                          EVP_DigestUpdate(context, second.data(), second.size()) == 1 &&
                          EVP_DigestFinal_ex(context, out, nullptr) == 1;
        BELFRY_ASSERT(done);
    }
    Digester digester_;
    DigestContext context_;
};

}  // namespace

struct WebPushSealer::Contexts {
    Contexts();
    Status import(std::string_view p256dh, std::string_view auth);
    bool next_secrets(SealSecrets& secrets);
    void public_key(const SealSecrets& secrets, uint8_t* out);
    void shared_secret(std::array<uint8_t, kDigestBytes>& out);
    void encrypt(const SealInput& input, std::string_view key, std::string_view nonce);

    Group group;
    NumberContext numbers;
    Point peer, product;
    Number scalar, x;
    Hmac hmac;
    Cipher cipher;
    CipherContext gcm;
    std::array<SealSecrets, kDrawMessages> drawn{};
    size_t drawn_left = 0;
    std::array<uint8_t, kSealedMax> body{};
};

WebPushSealer::Contexts::Contexts()
    : group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1)),
      numbers(BN_CTX_secure_new()),
      peer(EC_POINT_new(group.get())),
      product(EC_POINT_new(group.get())),
      scalar(BN_new()),
      x(BN_new()),
      cipher(EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr)),
      gcm(EVP_CIPHER_CTX_new()) {
    BELFRY_ASSERT(peer && product && scalar && x && numbers && gcm && cipher);
    BELFRY_ASSERT(EVP_EncryptInit_ex2(gcm.get(), cipher.get(), nullptr, nullptr, nullptr) == 1);
    BN_set_flags(scalar.get(), BN_FLG_CONSTTIME);
}

// EC_POINT_oct2point checks ranges and the curve's equation, but takes compressed, hybrid and infinite points, too.
Status WebPushSealer::Contexts::import(std::string_view p256dh, std::string_view auth) {
    if (p256dh.size() != kPointBytes || bytes_of(p256dh)[0] != kUncompressed) {
        return error(ErrorCode::InvalidArgument, "must be an uncompressed point: 65 bytes, the first one 4", "p256dh");
    }
    if (EC_POINT_oct2point(group.get(), peer.get(), bytes_of(p256dh), kPointBytes, numbers.get()) != 1) {
        take_reason();
        return error(ErrorCode::InvalidArgument, "is not a point on the curve P-256", "p256dh");
    }
    if (auth.size() != kAuthBytes) {
        return error(ErrorCode::InvalidArgument, "must be 16 bytes, not " + std::to_string(auth.size()), "auth");
    }
    return {};
}

// False if the number drawn is no private key: one in 2^32.
bool WebPushSealer::Contexts::next_secrets(SealSecrets& secrets) {
    static_assert(sizeof(SealSecrets) == kScalarBytes + kSaltBytes);
    if (drawn_left == 0) {
        BELFRY_ASSERT(RAND_priv_bytes(drawn[0].private_key.data(), sizeof drawn) == 1);
        drawn_left = drawn.size();
    }
    SealSecrets& next = drawn[--drawn_left];
    secrets = next;
    OPENSSL_cleanse(&next, sizeof next);
    BELFRY_ASSERT(BN_bin2bn(secrets.private_key.data(), kScalarBytes, scalar.get()) != nullptr);
    return BN_is_zero(scalar.get()) == 0 && BN_ucmp(scalar.get(), EC_GROUP_get0_order(group.get())) < 0;
}

void WebPushSealer::Contexts::public_key(const SealSecrets& secrets, uint8_t* out) {
    const bool done = BN_bin2bn(secrets.private_key.data(), kScalarBytes, scalar.get()) != nullptr &&
                      EC_POINT_mul(group.get(), product.get(), scalar.get(), nullptr, nullptr, numbers.get()) == 1 &&
                      EC_POINT_point2oct(group.get(), product.get(), POINT_CONVERSION_UNCOMPRESSED, out, kPointBytes,
                                         numbers.get()) == kPointBytes;
    BELFRY_ASSERT(done);
}

void WebPushSealer::Contexts::shared_secret(std::array<uint8_t, kDigestBytes>& out) {
    const bool done =
        EC_POINT_mul(group.get(), product.get(), nullptr, peer.get(), scalar.get(), numbers.get()) == 1 &&
        EC_POINT_get_affine_coordinates(group.get(), product.get(), x.get(), nullptr, numbers.get()) == 1 &&
        BN_bn2binpad(x.get(), out.data(), static_cast<int>(kDigestBytes)) == static_cast<int>(kDigestBytes);
    BN_clear(scalar.get());
    BN_clear(x.get());
    BELFRY_ASSERT(done);
}

// Payload, delimiter and padding behind the header, in place, and the tag behind them.
void WebPushSealer::Contexts::encrypt(const SealInput& input, std::string_view key, std::string_view nonce) {
    uint8_t* const record = body.data() + kHeaderBytes;
    const size_t n = input.payload.size() + 1 + input.padding;
    if (!input.payload.empty()) std::memcpy(record, input.payload.data(), input.payload.size());
    record[input.payload.size()] = kLastRecord;
    std::memset(record + input.payload.size() + 1, 0, input.padding);
    int written = 0, rest = 0;
    const bool done =
        EVP_EncryptInit_ex2(gcm.get(), nullptr, bytes_of(key), bytes_of(nonce), nullptr) == 1 &&
        EVP_EncryptUpdate(gcm.get(), record, &written, record, static_cast<int>(n)) == 1 &&
        EVP_EncryptFinal_ex(gcm.get(), record + written, &rest) == 1 &&
        EVP_CIPHER_CTX_ctrl(gcm.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(kTagBytes), record + n) == 1;
    BELFRY_ASSERT(done && static_cast<size_t>(written + rest) == n);
}

WebPushSealer::WebPushSealer() : contexts_(std::make_unique<Contexts>()) {}
WebPushSealer::~WebPushSealer() {
    OPENSSL_cleanse(contexts_->drawn.data(), sizeof contexts_->drawn);
}

Status WebPushSealer::check(std::string_view p256dh, std::string_view auth) {
    return contexts_->import(p256dh, auth);
}

Result<std::string_view> WebPushSealer::seal(const SealInput& input) {
    SealSecrets secrets;
    while (!contexts_->next_secrets(secrets)) continue;
    Result<std::string_view> sealed = seal_with(input, secrets);
    OPENSSL_cleanse(&secrets, sizeof secrets);
    return sealed;
}

// Numbers are the steps of RFC 8291, 3.4 and RFC 8188, 2.1.
Result<std::string_view> WebPushSealer::seal_with(const SealInput& input, const SealSecrets& secrets) {
    Contexts& c = *contexts_;
    if (Status status = c.import(input.p256dh, input.auth); !status) return status.error();
    if (input.payload.size() > kSealPayloadMax || input.padding > kSealPayloadMax - input.payload.size()) {
        return error(ErrorCode::TooLarge,
                     std::to_string(input.payload.size() + input.padding) + " bytes, a push service takes " +
                         std::to_string(kSealPayloadMax),
                     "payload");
    }
    uint8_t* const header = c.body.data();
    uint8_t* const sender = header + kHeaderBytes - kPointBytes;
    std::copy(secrets.salt.begin(), secrets.salt.end(), header);
    for (size_t i = 0; i < 4; ++i) header[kSaltBytes + i] = static_cast<uint8_t>(kRecordBytes >> (24 - 8 * i));
    header[kSaltBytes + 4] = kPointBytes;
    c.public_key(secrets, sender);

    std::array<uint8_t, kKeyInfo.size() + 2 * kPointBytes + 1> info;
    uint8_t* at = std::copy(kKeyInfo.begin(), kKeyInfo.end(), info.data());
    at = std::copy_n(bytes_of(input.p256dh), kPointBytes, at);
    at = std::copy_n(sender, kPointBytes, at);
    *at = 1;

    Secret<kDigestBytes> secret, nonce;
    c.shared_secret(secret);
    c.hmac(input.auth, view_of<kDigestBytes>(secret), secret);             // PRK_key
    c.hmac(view_of<kDigestBytes>(secret), view_of(info), secret);          // IKM
    c.hmac(view_of(secrets.salt), view_of<kDigestBytes>(secret), secret);  // PRK
    c.hmac(view_of<kDigestBytes>(secret), kNonceInfo, nonce);
    c.hmac(view_of<kDigestBytes>(secret), kCekInfo, secret);
    c.encrypt(input, view_of<kDigestBytes>(secret).substr(0, kKeyBytes),
              view_of<kDigestBytes>(nonce).substr(0, kNonceBytes));
    const char* const text = static_cast<const char*>(static_cast<const void*>(c.body.data()));
    return std::string_view(text, kSealOverhead + input.payload.size() + input.padding);
}

}  // namespace belfry::crypto
