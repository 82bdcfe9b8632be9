// SPDX-License-Identifier: Apache-2.0
// TLS on a client's socket. Nothing in here waits: what cannot go on says what it waits for.
//
// Threads: one at a time, its connection's. Owner: ClientSocket.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace belfry::api {

using TlsContext = std::shared_ptr<SSL_CTX>;

// What a listener needs: TLS 1.2 and later, HTTP/1.1. Misconfigured: the files cannot be used, and why.
Result<TlsContext> tls_context(const std::string& cert_file, const std::string& key_file);
// Misconfigured: clients will not take its certificate at this time, since it has expired or is not valid yet.
Status check_validity(const TlsContext& context, const std::string& cert_file, int64_t unix_ms);

// One attempt to move bytes over a socket.
struct Transfer {
    enum class Outcome : uint8_t {
        Done,  // `bytes` of them, at least one
        WaitsToRead,
        WaitsToWrite,
        Ended,  // the peer sends nothing more; it can still be answered
        Broken
    };
    Outcome outcome = Outcome::Broken;
    size_t bytes = 0;
};

// It can go on later.
constexpr bool waits(Transfer::Outcome outcome) noexcept {
    return outcome == Transfer::Outcome::WaitsToRead || outcome == Transfer::Outcome::WaitsToWrite;
}

class TlsSocket {
public:
    // `fd` does not block and is the caller's; it must be open for as long as this lives.
    TlsSocket(int fd, const TlsContext& context);
    ~TlsSocket() { say_goodbye(); }
    TlsSocket(const TlsSocket&) = delete;
    TlsSocket& operator=(const TlsSocket&) = delete;

    enum class Handshake : uint8_t {
        Done,
        Waits,
        Failed,
        SpokeHttp  // and was told what is spoken here
    };
    // Does what can be done at once.
    Handshake shake_hands();
    bool is_ready() const noexcept { return ready_; }

    Transfer receive(char* into, size_t room) noexcept;
    Transfer send(std::string_view bytes) noexcept;
    // Tells the peer that nothing follows.
    void say_goodbye() noexcept;

private:
    Transfer failed(int result) noexcept;

    struct Free {
        void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
    };
    const int fd_;
    const TlsContext context_;
    std::unique_ptr<SSL, Free> ssl_;
    bool ready_ = false, broken_ = false, said_goodbye_ = false;
};

}  // namespace belfry::api
