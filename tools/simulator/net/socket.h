// SPDX-License-Identifier: Apache-2.0
// A non-blocking stream socket, plain or under TLS, and the listening sockets it comes from.
//
// Threads: [one loop].  Owner: its connection.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "net/session.h"

namespace belfry::simulator {

struct Endpoint {
    std::string host;
    std::uint16_t port = 0;
};

// "127.0.0.1:0", "[::1]:8443". Throws std::runtime_error that names `option` when the text is something else.
Endpoint parse_endpoint(std::string_view text, std::string_view option);

// Listens with SO_REUSEPORT, so that every loop has its own queue; port 0 is replaced by the chosen one.
int listen_on(Endpoint& endpoint);

enum class Io : std::uint8_t { Done, WouldBlock, Closed };

struct IoResult {
    Io state = Io::Closed;
    std::size_t bytes = 0;
};

class Socket {
public:
    // Takes `fd`; `tls` may be null for a plain connection.
    Socket(int fd, SSL_CTX* tls);
    ~Socket();
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    [[nodiscard]] int fd() const { return fd_; }
    IoResult handshake();
    IoResult read(std::span<std::uint8_t> into);
    // Bytes were received that read() has not given out: epoll will not tell of them.
    [[nodiscard]] bool has_buffered_input() const { return ssl_ != nullptr && SSL_has_pending(ssl_.get()) != 0; }
    IoResult write(std::string_view bytes);
    // "h2", "http/1.1" or empty.
    [[nodiscard]] std::string_view alpn() const;
    // Once the handshake is done; nothing if the client showed none.
    [[nodiscard]] std::optional<ClientCertificate> client_certificate() const;
    // Sends close_notify and FIN; what the peer still sends can be discarded until it closes too.
    void end_output();
    // False once the peer has closed.
    bool discard_input();
    // The peer gets an RST instead of a FIN when the socket is closed.
    void reset_on_close();

private:
    struct SslFree {
        void operator()(SSL* ssl) const { SSL_free(ssl); }
    };
    int fd_;
    std::unique_ptr<SSL, SslFree> ssl_;
    bool established_ = false;
    bool output_ended_ = false;
};

}  // namespace belfry::simulator
