// SPDX-License-Identifier: Apache-2.0
// Making keys and certificates with OpenSSL.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace belfry::simulator {

struct KeyFree {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct CertificateFree {
    void operator()(X509* certificate) const { X509_free(certificate); }
};
using Key = std::unique_ptr<EVP_PKEY, KeyFree>;
using Certificate = std::unique_ptr<X509, CertificateFree>;

// All throw std::runtime_error when OpenSSL refuses.
Key make_ec_key();
Key make_rsa_key();
Certificate make_ca(EVP_PKEY* key);
// For localhost, 127.0.0.1 and ::1.
Certificate make_server_certificate(EVP_PKEY* key, X509* ca, EVP_PKEY* ca_key);

// A client certificate with the attribute UID in its subject, as Apple's push certificates have it.
Certificate make_client_certificate(EVP_PKEY* key, X509* ca, EVP_PKEY* ca_key, const std::string& common_name,
                                    const std::string& uid);
// Both as PKCS#12 (DER) under `password`.
std::string pkcs12(EVP_PKEY* key, X509* certificate, const std::string& password);

std::string private_pem(EVP_PKEY* key);  // PKCS#8, as service account files have it
std::string certificate_pem(X509* certificate);
Key read_private_pem(const std::string& pem);  // null when it is not one

}  // namespace belfry::simulator
