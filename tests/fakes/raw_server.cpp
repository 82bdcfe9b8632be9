// SPDX-License-Identifier: Apache-2.0
#include "fakes/raw_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/assert.h"

namespace belfry::fakes {

namespace {

constexpr size_t kInput = 16 * 1024;

// A peer that has gone is no reason to end the test.
void shield_from_broken_pipes() {
    sigset_t broken_pipe;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
}

UniqueFd listen_on_loopback(bool ipv6, uint16_t& port) {
    UniqueFd fd(socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage storage{};
    socklen_t length = ipv6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    auto* address = reinterpret_cast<sockaddr*>(&storage);
    if (ipv6) {
        auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
        v6->sin6_family = AF_INET6;
        v6->sin6_addr = in6addr_loopback;
    } else {
        auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
        v4->sin_family = AF_INET;
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    BELFRY_ASSERT(bind(fd.get(), address, length) == 0 && listen(fd.get(), 1024) == 0);
    BELFRY_ASSERT(getsockname(fd.get(), address, &length) == 0);
    port = ntohs(ipv6 ? reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port
                      : reinterpret_cast<sockaddr_in*>(&storage)->sin_port);
    return fd;
}

}  // namespace

RawPeer::RawPeer(int number, UniqueFd fd, SSL_CTX* context) : number_(number), fd_(std::move(fd)) {
    const int on = 1;
    setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (context == nullptr) return;
    ssl_.reset(SSL_new(context));
    SSL_set_fd(ssl_.get(), fd_.get());
}

RawPeer::~RawPeer() = default;

bool RawPeer::handshake() {
    ERR_clear_error();
    return !ssl_ || SSL_accept(ssl_.get()) == 1;
}

bool RawPeer::fill() {
    char buffer[kInput];
    ERR_clear_error();
    const ssize_t n = ssl_ ? SSL_read(ssl_.get(), buffer, sizeof buffer) : recv(fd_.get(), buffer, sizeof buffer, 0);
    if (n > 0) input_.append(buffer, static_cast<size_t>(n));
    return n > 0;
}

std::string RawPeer::read_until(std::string_view end) {
    size_t at = 0;
    while ((at = input_.find(end)) == std::string::npos) {
        if (!fill()) return {};
    }
    return read_bytes(at + end.size());
}

std::string RawPeer::read_bytes(size_t n) {
    while (input_.size() < n) {
        if (!fill()) return {};
    }
    const std::string taken = input_.substr(0, n);
    input_.erase(0, n);
    return taken;
}

std::string RawPeer::read_request() {
    std::string request = read_until("\r\n\r\n");
    const size_t at = request.find("content-length: ");
    if (at == std::string::npos) return request;
    return request + read_bytes(std::strtoul(request.c_str() + at + 16, nullptr, 10));
}

bool RawPeer::write(std::string_view bytes) {
    while (!bytes.empty()) {
        ERR_clear_error();
        const ssize_t n = ssl_ ? SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()))
                               : send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) return false;
        bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
}

void RawPeer::finish() {
    if (ssl_) SSL_shutdown(ssl_.get());
    shutdown(fd_.get(), SHUT_WR);
    wait();
}

// Linux resets a connection whose socket is connected to nowhere; the descriptor stays for interrupt().
void RawPeer::reset() {
    sockaddr nowhere{};
    nowhere.sa_family = AF_UNSPEC;
    connect(fd_.get(), &nowhere, sizeof nowhere);
}

void RawPeer::wait() {
    while (fill()) {
    }
}

void RawPeer::ignore() {
    pollfd hung_up{fd_.get(), 0, 0};
    poll(&hung_up, 1, -1);
}

void RawPeer::relay_to(uint16_t port) {
    const UniqueFd other(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (connect(other.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return;
    const int ends[] = {fd_.get(), other.get()};
    pollfd both[] = {{ends[0], POLLIN, 0}, {ends[1], POLLIN, 0}};
    char buffer[kInput];
    while (poll(both, 2, -1) > 0) {
        for (const int from : {1, 0}) {
            if (both[from].revents == 0) continue;
            const ssize_t n = recv(ends[from], buffer, sizeof buffer, 0);
            if (n <= 0) return;
            if (send(ends[1 - from], buffer, static_cast<size_t>(n), MSG_NOSIGNAL) == n) continue;
            if (from == 1) return;
            both[0].fd = -1;  // the server takes no more, but what it said last is still under way
        }
    }
}

RawServer::RawServer(RawScript script) : script_(std::move(script)) {
    if (script_.ca != nullptr) {
        context_.reset(SSL_CTX_new(TLS_server_method()));
        if (script_.tls12) SSL_CTX_set_max_proto_version(context_.get(), TLS1_2_VERSION);
        leaf_ = script_.ca->issue(script_.names);
        BELFRY_ASSERT(SSL_CTX_use_certificate(context_.get(), leaf_.certificate.get()) == 1);
        BELFRY_ASSERT(SSL_CTX_use_PrivateKey(context_.get(), leaf_.key.get()) == 1);
        if (script_.client_certificate) {
            BELFRY_ASSERT(SSL_CTX_load_verify_file(context_.get(), script_.ca->file().c_str()) == 1);
            SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
        }
        SSL_CTX_set_alpn_select_cb(context_.get(), &RawServer::select_alpn, this);
    }
    listener_ = listen_on_loopback(script_.ipv6, port_);
    thread_ = std::thread([this] { accept_peers(); });
}

RawServer::~RawServer() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        for (const Served& served : served_) served.peer->interrupt();
    }
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    for (Served& served : served_) served.thread.join();
}

int RawServer::select_alpn(SSL*, const unsigned char** out, unsigned char* n, const unsigned char* in, unsigned in_n,
                           void* self) {
    const std::string& mine = static_cast<RawServer*>(self)->script_.alpn;
    if (mine.empty()) return SSL_TLSEXT_ERR_NOACK;
    const std::string offer = static_cast<char>(mine.size()) + mine;
    unsigned char* chosen = nullptr;
    if (SSL_select_next_proto(&chosen, n, reinterpret_cast<const unsigned char*>(offer.data()),
                              static_cast<unsigned>(offer.size()), in, in_n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = reinterpret_cast<const unsigned char*>(mine.data());
    return SSL_TLSEXT_ERR_OK;
}

void RawServer::accept_peers() {
    shield_from_broken_pipes();
    while (true) {
        UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        const std::lock_guard lock(mutex_);
        if (!fd || stopping_) return;
        served_.push_back({std::make_unique<RawPeer>(accepted_++, std::move(fd), context_.get()), {}});
        ++open_;
        served_.back().thread = std::thread([this, peer = served_.back().peer.get()] {
            shield_from_broken_pipes();
            if (script_.mute) {
                peer->wait();
            } else if (peer->handshake()) {
                script_.serve(*peer);
            }
            peer->interrupt();
            --open_;
        });
    }
}

}  // namespace belfry::fakes
