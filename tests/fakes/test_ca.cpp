// SPDX-License-Identifier: Apache-2.0
#include "fakes/test_ca.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>

#include "base/assert.h"

namespace belfry::fakes {

namespace {

using Bio = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;

constexpr long kDay = 86400;

KeyHandle make_key() {
    KeyHandle key(EVP_EC_gen("P-256"));
    BELFRY_ASSERT(key != nullptr);
    return key;
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    BELFRY_ASSERT(extension != nullptr);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

CertHandle make_certificate(EVP_PKEY* key, const char* name, long from, long to) {
    static_assert(sizeof(long) == 8);
    CertHandle certificate(X509_new());
    BELFRY_ASSERT(certificate != nullptr);
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), reinterpret_cast<uintptr_t>(key) >> 4);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), from);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), to);
    X509_set_pubkey(certificate.get(), key);
    X509_NAME* subject = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
    return certificate;
}

std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long n = BIO_ctrl(bio, BIO_CTRL_INFO, 0, &data);
    return {data, static_cast<size_t>(n)};
}

}  // namespace

std::string Leaf::certificate_pem() const {
    const Bio bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(bio.get(), certificate.get());
    return text_of(bio.get());
}

std::string Leaf::key_pem() const {
    const Bio bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    return text_of(bio.get());
}

TestCa::TestCa() : key_(make_key()) {
    std::string name = "/tmp/belfry-test-ca-XXXXXX";
    const int fd = mkstemp(name.data());
    certificate_ = make_certificate(key_.get(), name.c_str(), -kDay, kDay * 3);  // no two authorities share a name
    X509_set_issuer_name(certificate_.get(), X509_get_subject_name(certificate_.get()));
    add_extension(certificate_.get(), certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
    add_extension(certificate_.get(), certificate_.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
    BELFRY_ASSERT(X509_sign(certificate_.get(), key_.get(), EVP_sha256()) > 0);
    BELFRY_ASSERT(fd >= 0);
    std::FILE* file = fdopen(fd, "w");
    BELFRY_ASSERT(file != nullptr && PEM_write_X509(file, certificate_.get()) == 1);
    std::fclose(file);
    file_ = name;
}

TestCa::~TestCa() {
    unlink(file_.c_str());
}

Leaf TestCa::issue(const std::string& names, int days) const {
    Leaf leaf;
    leaf.key = make_key();
    const long to = days * kDay;
    leaf.certificate = make_certificate(leaf.key.get(), "Belfry test server", to < 0 ? to - kDay : -kDay, to);
    X509_set_issuer_name(leaf.certificate.get(), X509_get_subject_name(certificate_.get()));
    if (!names.empty()) add_extension(leaf.certificate.get(), certificate_.get(), NID_subject_alt_name, names);
    BELFRY_ASSERT(X509_sign(leaf.certificate.get(), key_.get(), EVP_sha256()) > 0);
    return leaf;
}

}  // namespace belfry::fakes
