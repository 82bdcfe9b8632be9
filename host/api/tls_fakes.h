// SPDX-License-Identifier: Apache-2.0
// A server's certificate for tests.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdio>
#include <filesystem>

namespace belfry::api {

// A certificate of its own issuing, with its key, as PEM files; valid from and until so many seconds from now.
inline void write_pair(const std::filesystem::path& cert_file, const std::filesystem::path& key_file, long from_s = 0,
                       long until_s = 3600) {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* cert = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(cert), from_s);
    X509_gmtime_adj(X509_getm_notAfter(cert), until_s);
    X509_set_pubkey(cert, key);
    X509_sign(cert, key, EVP_sha256());
    std::FILE* out = std::fopen(cert_file.c_str(), "w");
    PEM_write_X509(out, cert);
    std::fclose(out);
    out = std::fopen(key_file.c_str(), "w");
    PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(out);
    X509_free(cert);
    EVP_PKEY_free(key);
}

}  // namespace belfry::api
