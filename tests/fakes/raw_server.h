// SPDX-License-Identifier: Apache-2.0
// A server on loopback that says byte by byte what a test wants, over TCP or TLS: for answers that no proper server
// would give.
//
// Threads: one that accepts and one per connection, on which the test's function runs; everything public is [any].
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/handles.h"
#include "fakes/test_ca.h"

namespace belfry::fakes {

// One connection, as the test's function sees it.
class RawPeer {
public:
    RawPeer(int number, UniqueFd fd, SSL_CTX* context);
    ~RawPeer();

    int number() const { return number_; }  // of the connection, from 0
    int fd() const { return fd_.get(); }
    bool handshake();  // true without TLS
    // Up to and including `end`; empty if the connection ended before.
    std::string read_until(std::string_view end);
    std::string read_bytes(size_t n);
    // A request of HTTP/1: its head, and its body as content-length says. Empty at the end of the connection.
    std::string read_request();
    bool write(std::string_view bytes);
    void finish();  // ends the connection in order: says so, then waits for the other side
    void reset();   // TCP reset
    void wait();    // until the other side ends it
    void ignore();  // until the test ends, and nothing more is read
    // Copies both ways between this connection and 127.0.0.1:`port` until either ends. Without TLS.
    void relay_to(uint16_t port);
    void interrupt() { shutdown(fd_.get(), SHUT_RDWR); }

private:
    bool fill();

    const int number_;
    UniqueFd fd_;
    std::unique_ptr<SSL, FreeWith<SSL_free>> ssl_;
    std::string input_;
};

struct RawScript {
    const TestCa* ca = nullptr;     // null: no TLS
    std::string alpn = "http/1.1";  // the only protocol it speaks; empty: it answers none
    std::string names = "DNS:localhost,IP:127.0.0.1";
    bool ipv6 = false;                    // listens on ::1 instead of 127.0.0.1
    bool tls12 = false;                   // and nothing newer: the server ends the handshake
    bool client_certificate = false;      // insists on one of the same authority
    bool mute = false;                    // accepts, but `serve` is not called before the end
    std::function<void(RawPeer&)> serve;  // the connection ends when it returns
};

class RawServer {
public:
    explicit RawServer(RawScript script);
    ~RawServer();
    RawServer(const RawServer&) = delete;
    RawServer& operator=(const RawServer&) = delete;

    uint16_t port() const { return port_; }
    std::string url(const std::string& host = "localhost") const {
        return (script_.ca ? "https://" : "http://") + host + ":" + std::to_string(port_);
    }
    int accepted() const { return accepted_; }
    int open() const { return open_; }

private:
    void accept_peers();
    static int select_alpn(SSL*, const unsigned char** out, unsigned char* n, const unsigned char* in, unsigned in_n,
                           void* self);

    const RawScript script_;
    Leaf leaf_;
    std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>> context_;
    UniqueFd listener_;
    uint16_t port_ = 0;
    std::atomic<int> accepted_{0}, open_{0};
    std::mutex mutex_;  // of the two below
    bool stopping_ = false;
    struct Served {
        std::unique_ptr<RawPeer> peer;
        std::thread thread;
    };
    std::vector<Served> served_;
    std::thread thread_;
};

}  // namespace belfry::fakes
