// SPDX-License-Identifier: Apache-2.0
#include "crypto/client_identity.h"

#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <openssl/x509.h>

#include <climits>
#include <ctime>
#include <vector>

#include "crypto/bytes.h"

namespace belfry::crypto {
namespace {

using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;
using Pkcs12 = std::unique_ptr<PKCS12, FreeWith<PKCS12_free>>;
using Decoder = std::unique_ptr<EVP_ENCODE_CTX, FreeWith<EVP_ENCODE_CTX_free>>;

Error unreadable(const std::string& what) {
    return error(ErrorCode::InvalidArgument, what, "certificate");
}

// The old ciphers, apart from the process's own context.
struct OldCiphers {
    OldCiphers()
        : context(OSSL_LIB_CTX_new()),
          legacy(OSSL_PROVIDER_load(context, "legacy")),
          usual(OSSL_PROVIDER_load(context, "default")) {
        ERR_clear_error();  // without the legacy module newer files can still be read
    }
    ~OldCiphers() {
        if (legacy != nullptr) OSSL_PROVIDER_unload(legacy);
        if (usual != nullptr) OSSL_PROVIDER_unload(usual);
        OSSL_LIB_CTX_free(context);
    }
    OldCiphers(const OldCiphers&) = delete;
    OldCiphers& operator=(const OldCiphers&) = delete;

    OSSL_LIB_CTX* const context;
    OSSL_PROVIDER *const legacy, *const usual;
};

struct Found {
    Key key;
    std::vector<Certificate> certificates;
};

std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long n = BIO_get_mem_data(bio, &data);
    return {data, static_cast<size_t>(n)};
}

Result<std::string> from_base64(std::string_view text) {
    const Decoder decoder(EVP_ENCODE_CTX_new());
    std::string bytes(text.size(), '\0');
    int n = 0, rest = 0;
    EVP_DecodeInit(decoder.get());
    const bool good =
        EVP_DecodeUpdate(decoder.get(), bytes_of(bytes), &n, bytes_of(text), static_cast<int>(text.size())) >= 0 &&
        EVP_DecodeFinal(decoder.get(), bytes_of(bytes) + n, &rest) == 1;
    if (!good) return unreadable("neither PKCS#12, nor its base64, nor PEM");
    bytes.resize(static_cast<size_t>(n + rest));
    return bytes;
}

Result<Found> from_pkcs12(std::string_view bytes, const std::string& password, const OldCiphers& ciphers) {
    const unsigned char* at = bytes_of(bytes);
    PKCS12* raw = PKCS12_init_ex(NID_pkcs7_data, ciphers.context, nullptr);
    // A failed d2i frees what it was given.
    Pkcs12 file(d2i_PKCS12(&raw, &at, static_cast<long>(bytes.size())));
    if (!file) return unreadable("no PKCS#12 file: " + take_reason());
    EVP_PKEY* key = nullptr;
    X509* own = nullptr;
    STACK_OF(X509)* chain = nullptr;
    if (PKCS12_parse(file.get(), password.c_str(), &key, &own, &chain) != 1) {
        const bool wrong = ERR_GET_REASON(ERR_peek_last_error()) == PKCS12_R_MAC_VERIFY_FAILURE;
        const std::string reason = take_reason();
        return unreadable(wrong ? "the password does not open the PKCS#12 file" : "PKCS#12 not readable: " + reason);
    }
    Found found;
    found.key.reset(key);
    if (own != nullptr) found.certificates.emplace_back(own);
    for (int i = 0; i < sk_X509_num(chain); ++i) found.certificates.emplace_back(sk_X509_value(chain, i));
    sk_X509_free(chain);
    return found;
}

Result<Found> from_pem(std::string_view text, const std::string& password) {
    const auto give = [](char* out, int room, int, void* user) {
        const auto& secret = *static_cast<const std::string*>(user);
        if (static_cast<size_t>(room) < secret.size()) return -1;
        secret.copy(out, secret.size());
        return static_cast<int>(secret.size());
    };
    const auto user = const_cast<std::string*>(&password);
    const auto reader = [&] { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); };
    Found found;
    const Bio keys = reader();
    found.key.reset(PEM_read_bio_PrivateKey(keys.get(), nullptr, give, user));
    if (!found.key) {
        return unreadable("no private key that the password opens in the PEM text: " + take_reason());
    }
    const Bio certificates = reader();
    while (X509* next = PEM_read_bio_X509(certificates.get(), nullptr, give, user)) {
        found.certificates.emplace_back(next);
    }
    ERR_clear_error();  // the end of the text is an error to OpenSSL
    return found;
}

Result<ClientIdentity> describe(const Found& found) {
    const X509* own = nullptr;
    const Bio certificates(BIO_new(BIO_s_mem())), key(BIO_new(BIO_s_mem()));
    if (!found.key) return unreadable("there is no private key in it: export certificate and key together");
    for (const Certificate& each : found.certificates) {
        if (own == nullptr && X509_check_private_key(each.get(), found.key.get()) == 1) own = each.get();
    }
    if (own == nullptr) return unreadable("there is no certificate of the private key in it");
    bool good = PEM_write_bio_PrivateKey(key.get(), found.key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1 &&
                PEM_write_bio_X509(certificates.get(), own) == 1;
    for (const Certificate& each : found.certificates) {
        if (each.get() != own) good = good && PEM_write_bio_X509(certificates.get(), each.get()) == 1;
    }
    std::tm until{};
    if (!good || ASN1_TIME_to_tm(X509_get0_notAfter(own), &until) != 1) {
        return error(ErrorCode::Internal, "cannot write the certificate: " + take_reason(), "certificate");
    }
    ERR_clear_error();  // of certificates that are not the key's
    char uid[256] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(own), NID_userId, uid, sizeof uid);
    return ClientIdentity{text_of(key.get()), text_of(certificates.get()), uid, int64_t{timegm(&until)} * 1000};
}

}  // namespace

Result<ClientIdentity> read_client_identity(std::string_view bytes, std::string_view password) {
    constexpr size_t kBytesMax = 1 << 20;
    constexpr char kDerSequence = 0x30;
    if (bytes.empty() || bytes.size() > kBytesMax) return unreadable("empty, or longer than 1 MiB");
    const std::string secret(password);
    if (bytes.find("-----BEGIN ") != std::string_view::npos) {
        const auto found = from_pem(bytes, secret);
        return found ? describe(*found) : Result<ClientIdentity>(found.error());
    }
    std::string decoded;
    if (bytes[0] != kDerSequence) {
        auto plain = from_base64(bytes);
        if (!plain) return plain.error();
        decoded = std::move(*plain);
        bytes = decoded;
    }
    const OldCiphers ciphers;
    const auto found = from_pkcs12(bytes, secret, ciphers);
    return found ? describe(*found) : Result<ClientIdentity>(found.error());
}

}  // namespace belfry::crypto
