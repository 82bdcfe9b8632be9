// SPDX-License-Identifier: Apache-2.0
#include "certificates.h"

#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <stdexcept>

namespace belfry::simulator {

namespace {

constexpr long kValidSeconds = 10L * 365 * 24 * 3600;
constexpr long kBackdatedSeconds = 24L * 3600;
constexpr unsigned int kRsaBits = 2048;

struct BioFree {
    void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, BioFree>;

void require(bool ok, const char* what) {
    if (!ok) throw std::runtime_error(std::string("OpenSSL cannot ") + what);
}

std::string content_of(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(size)};
}

void add_to_subject(X509* certificate, const char* attribute, const std::string& value) {
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), attribute, MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(value.c_str()), -1, -1, 0);
}

Certificate new_certificate(EVP_PKEY* key, const std::string& common_name) {
    Certificate certificate(X509_new());
    require(certificate != nullptr, "allocate a certificate");
    X509_set_version(certificate.get(), X509_VERSION_3);
    std::uint64_t serial = 0;
    RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), serial >> 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kBackdatedSeconds);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kValidSeconds);
    X509_set_pubkey(certificate.get(), key);
    add_to_subject(certificate.get(), "CN", common_name);
    return certificate;
}

void add_extension(X509* certificate, X509* issuer, int id, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value);
    require(extension != nullptr, "make a certificate extension");
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

}  // namespace

Key make_ec_key() {
    Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
    require(key != nullptr, "make an EC key");
    return key;
}

Key make_rsa_key() {
    Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<std::size_t>(kRsaBits)));
    require(key != nullptr, "make an RSA key");
    return key;
}

Certificate make_ca(EVP_PKEY* key) {
    Certificate ca = new_certificate(key, "Belfry simulator CA");
    X509_set_issuer_name(ca.get(), X509_get_subject_name(ca.get()));
    add_extension(ca.get(), ca.get(), NID_basic_constraints, "critical,CA:TRUE");
    add_extension(ca.get(), ca.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
    add_extension(ca.get(), ca.get(), NID_subject_key_identifier, "hash");
    require(X509_sign(ca.get(), key, EVP_sha256()) != 0, "sign the CA certificate");
    return ca;
}

Certificate make_server_certificate(EVP_PKEY* key, X509* ca, EVP_PKEY* ca_key) {
    Certificate certificate = new_certificate(key, "localhost");
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(ca));
    add_extension(certificate.get(), ca, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(certificate.get(), ca, NID_key_usage, "critical,digitalSignature");
    add_extension(certificate.get(), ca, NID_ext_key_usage, "serverAuth");
    add_extension(certificate.get(), ca, NID_subject_key_identifier, "hash");
    add_extension(certificate.get(), ca, NID_authority_key_identifier, "keyid:always");
    add_extension(certificate.get(), ca, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1");
    require(X509_sign(certificate.get(), ca_key, EVP_sha256()) != 0, "sign the server certificate");
    return certificate;
}

Certificate make_client_certificate(EVP_PKEY* key, X509* ca, EVP_PKEY* ca_key, const std::string& common_name,
                                    const std::string& uid) {
    Certificate certificate = new_certificate(key, common_name);
    add_to_subject(certificate.get(), "UID", uid);
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(ca));
    add_extension(certificate.get(), ca, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(certificate.get(), ca, NID_key_usage, "critical,digitalSignature");
    add_extension(certificate.get(), ca, NID_ext_key_usage, "clientAuth");
    require(X509_sign(certificate.get(), ca_key, EVP_sha256()) != 0, "sign a client certificate");
    return certificate;
}

std::string pkcs12(EVP_PKEY* key, X509* certificate, const std::string& password) {
    const std::unique_ptr<PKCS12, decltype(&PKCS12_free)> made(
        PKCS12_create(password.c_str(), "push", key, certificate, nullptr, 0, 0, 0, 0, 0), PKCS12_free);
    const Bio bio(BIO_new(BIO_s_mem()));
    require(made != nullptr && i2d_PKCS12_bio(bio.get(), made.get()) == 1, "write a PKCS#12 file");
    return content_of(bio.get());
}

std::string private_pem(EVP_PKEY* key) {
    const Bio bio(BIO_new(BIO_s_mem()));
    require(PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1, "write a key");
    return content_of(bio.get());
}

std::string certificate_pem(X509* certificate) {
    const Bio bio(BIO_new(BIO_s_mem()));
    require(PEM_write_bio_X509(bio.get(), certificate) == 1, "write a certificate");
    return content_of(bio.get());
}

Key read_private_pem(const std::string& pem) {
    const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    return Key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
}

}  // namespace belfry::simulator
