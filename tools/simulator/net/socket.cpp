// SPDX-License-Identifier: Apache-2.0
#include "net/socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <stdexcept>

namespace belfry::simulator {

namespace {

constexpr int kListenBacklog = 1024;

struct AddressList {
    addrinfo* first = nullptr;
    ~AddressList() {
        if (first != nullptr) freeaddrinfo(first);
    }
};

std::runtime_error listen_error(const Endpoint& endpoint, const std::string& why) {
    return std::runtime_error("cannot listen on " + endpoint.host + ":" + std::to_string(endpoint.port) + ": " + why);
}

std::uint16_t bound_port(int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<sockaddr_in6*>(&address)->sin6_port);
    return ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

std::string attribute(X509_NAME* name, int id) {
    std::array<char, 256> text{};
    const int size = X509_NAME_get_text_by_NID(name, id, text.data(), static_cast<int>(text.size()));
    return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : std::string();
}

IoResult plain_result(ssize_t count) {
    if (count > 0) return {Io::Done, static_cast<std::size_t>(count)};
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return {Io::WouldBlock, 0};
    return {Io::Closed, 0};
}

}  // namespace

Endpoint parse_endpoint(std::string_view text, std::string_view option) {
    const auto colon = text.rfind(':');
    Endpoint endpoint;
    if (colon != std::string_view::npos) {
        const std::string_view port = text.substr(colon + 1);
        const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
        std::string_view host = text.substr(0, colon);
        if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
        if (error == std::errc{} && end == port.data() + port.size() && !host.empty()) {
            endpoint.host = std::string(host);
            return endpoint;
        }
    }
    throw std::runtime_error(std::string(option) + " must be HOST:PORT such as 127.0.0.1:0, not \"" +
                             std::string(text) + "\"");
}

int listen_on(Endpoint& endpoint) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    AddressList list;
    const int error = getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &list.first);
    if (error != 0) throw listen_error(endpoint, gai_strerror(error));
    const addrinfo& address = *list.first;
    const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) throw listen_error(endpoint, std::strerror(errno));
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(fd, address.ai_addr, address.ai_addrlen) != 0 || listen(fd, kListenBacklog) != 0) {
        const std::string why = std::strerror(errno);
        close(fd);
        throw listen_error(endpoint, why);
    }
    endpoint.port = bound_port(fd);
    return fd;
}

Socket::Socket(int fd, SSL_CTX* tls) : fd_(fd) {
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (tls == nullptr) {
        established_ = true;
        return;
    }
    ssl_.reset(SSL_new(tls));
    if (ssl_ == nullptr) return;
    SSL_set_fd(ssl_.get(), fd_);
    SSL_set_accept_state(ssl_.get());
}

Socket::~Socket() {
    if (!output_ended_) end_output();
    ssl_.reset();
    close(fd_);
}

IoResult Socket::handshake() {
    if (established_) return {Io::Done, 0};
    if (ssl_ == nullptr) return {Io::Closed, 0};
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_.get());
    if (result == 1) {
        established_ = true;
        return {Io::Done, 0};
    }
    const int error = SSL_get_error(ssl_.get(), result);
    return {error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? Io::WouldBlock : Io::Closed, 0};
}

IoResult Socket::read(std::span<std::uint8_t> into) {
    if (ssl_ == nullptr) return plain_result(recv(fd_, into.data(), into.size(), 0));
    ERR_clear_error();
    std::size_t count = 0;
    const int result = SSL_read_ex(ssl_.get(), into.data(), into.size(), &count);
    if (result == 1) return {Io::Done, count};
    return {SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ ? Io::WouldBlock : Io::Closed, 0};
}

IoResult Socket::write(std::string_view bytes) {
    if (ssl_ == nullptr) return plain_result(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
    ERR_clear_error();
    std::size_t count = 0;
    const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &count);
    if (result == 1) return {Io::Done, count};
    return {SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_WRITE ? Io::WouldBlock : Io::Closed, 0};
}

std::optional<ClientCertificate> Socket::client_certificate() const {
    X509* certificate = ssl_ == nullptr ? nullptr : SSL_get0_peer_certificate(ssl_.get());
    if (certificate == nullptr) return std::nullopt;
    X509_NAME* subject = X509_get_subject_name(certificate);
    return ClientCertificate{attribute(subject, NID_userId), attribute(subject, NID_commonName)};
}

std::string_view Socket::alpn() const {
    if (ssl_ == nullptr) return {};
    const unsigned char* name = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
}

void Socket::end_output() {
    output_ended_ = true;
    if (ssl_ != nullptr && established_) {
        ERR_clear_error();
        SSL_shutdown(ssl_.get());
    }
    shutdown(fd_, SHUT_WR);
}

bool Socket::discard_input() {
    std::array<char, 16 * 1024> scrap;
    while (true) {
        const IoResult result = plain_result(recv(fd_, scrap.data(), scrap.size(), 0));
        if (result.state != Io::Done) return result.state == Io::WouldBlock;
    }
}

void Socket::reset_on_close() {
    const linger hard{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    output_ended_ = true;
}

}  // namespace belfry::simulator
