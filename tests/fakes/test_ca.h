// SPDX-License-Identifier: Apache-2.0
// A certificate authority that lives as long as a test: P-256 keys, its certificate in a temporary file.
// Threads: used by one at a time.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <vector>

#include "base/handles.h"

namespace belfry::fakes {

using CertHandle = std::unique_ptr<X509, FreeWith<X509_free>>;
using KeyHandle = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;

struct Leaf {
    CertHandle certificate;
    KeyHandle key;
    std::string certificate_pem() const;
    std::string key_pem() const;
};

class TestCa {
public:
    TestCa();
    ~TestCa();
    TestCa(const TestCa&) = delete;
    TestCa& operator=(const TestCa&) = delete;

    const std::string& file() const { return file_; }  // PEM
    X509* certificate() const { return certificate_.get(); }
    // Alternative names as OpenSSL writes them: "DNS:localhost,IP:127.0.0.1". `days` may be negative: expired.
    Leaf issue(const std::string& names, int days = 2) const;

private:
    CertHandle certificate_;
    KeyHandle key_;
    std::string file_;
};

}  // namespace belfry::fakes
