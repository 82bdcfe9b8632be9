// SPDX-License-Identifier: Apache-2.0
// Plain, blocking clients for loopback tests: a socket with or without TLS, and HTTP/2 on top of it.
#pragma once

#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace belfry::simulator {

// Reads give up after two seconds: a test that waits longer has failed.
class BlockingSocket {
public:
    BlockingSocket() = default;
    ~BlockingSocket();
    BlockingSocket(const BlockingSocket&) = delete;
    BlockingSocket& operator=(const BlockingSocket&) = delete;

    bool connect(const std::string& url);
    bool start_tls(const std::string& ca_file, const std::string& alpn);
    bool write(const std::string& bytes);
    // Empty at the end, on an error and after the time limit.
    std::string read();

private:
    struct ContextFree {
        void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    };
    struct SslFree {
        void operator()(SSL* ssl) const { SSL_free(ssl); }
    };
    int fd_ = -1;
    std::unique_ptr<SSL_CTX, ContextFree> context_;
    std::unique_ptr<SSL, SslFree> ssl_;
};

struct PlainAnswer {
    int status = 0;
    std::string body;
};

// One HTTP/1.1 request over `socket`, which stays open.
PlainAnswer http1(BlockingSocket& socket, const std::string& method, const std::string& path,
                  const std::string& body = {});
// The same over a new connection.
PlainAnswer http1(const std::string& url, const std::string& method, const std::string& path,
                  const std::string& body = {});

class BlockingH2Client {
public:
    struct Answer {
        std::map<std::string, std::string> headers;
        std::string body;
        bool closed = false;
        std::uint32_t error = 0;
    };

    BlockingH2Client(BlockingSocket& socket, const std::vector<nghttp2_settings_entry>& settings);
    ~BlockingH2Client();
    BlockingH2Client(const BlockingH2Client&) = delete;
    BlockingH2Client& operator=(const BlockingH2Client&) = delete;

    std::int32_t post(const std::string& path, const std::string& body);
    // Until `done`; false when the peer closed, fell silent or broke the protocol before.
    bool run(const std::function<bool()>& done);

    std::map<std::int32_t, Answer> answers;
    std::size_t closed = 0;

private:
    friend struct ClientCallbacks;
    BlockingSocket& socket_;
    nghttp2_session* session_ = nullptr;
    std::map<std::int32_t, std::string> bodies_;
};

}  // namespace belfry::simulator
