// SPDX-License-Identifier: Apache-2.0
// The server side TLS context: TLS 1.2 and up, ALPN h2 and, unless told otherwise, http/1.1.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace belfry::simulator {

struct SslContextFree {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using TlsContext = std::unique_ptr<SSL_CTX, SslContextFree>;

// Throws std::runtime_error when a file cannot be used.
TlsContext make_tls_context(const std::string& certificate_file, const std::string& key_file);
// The same for a service that speaks HTTP/2 only and accepts, but does not ask for, client certificates of `client_ca`.
TlsContext make_h2_tls_context(const std::string& certificate_file, const std::string& key_file,
                               const std::string& client_ca_file);

}  // namespace belfry::simulator
