// SPDX-License-Identifier: Apache-2.0
// TLS over the socket of a transport: who is believed, who we are, and a session.
//
// Threads: a TlsContext by any; a TlsSession by one at a time.  Owner: Address, Transport.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace belfry::redis {

class TlsContext {
public:
    // PEM files: whom to believe (empty: whom the system believes), and our certificate with its key, or neither.
    // Throws Refused: CONFIG.
    TlsContext(const std::string& ca_file, const std::string& certificate_file, const std::string& key_file);
    SSL_CTX* raw() const noexcept { return context_.get(); }

private:
    struct Free {
        void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
    };
    std::unique_ptr<SSL_CTX, Free> context_;
};

class TlsSession {
public:
    // `host`: the name or address that the server's certificate must be for.
    TlsSession(const TlsContext& context, int socket, const std::string& host);

    // What a step came to: bytes, or what it waits for.
    struct Step {
        size_t bytes = 0;
        bool is_done = false;
        bool waits_to_write = false;
        std::string trouble;  // not empty: the connection is lost
    };
    Step shake_hands();
    Step write(std::string_view bytes);
    Step read(char* into, size_t most);

private:
    Step step(int result, size_t bytes) const;

    struct Free {
        void operator()(SSL* session) const noexcept { SSL_free(session); }
    };
    std::unique_ptr<SSL, Free> session_;
};

}  // namespace belfry::redis
