// SPDX-License-Identifier: Apache-2.0
#include "redis/transport.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "redis/failure.h"

namespace belfry::redis {

namespace {

struct Free {
    void operator()(addrinfo* found) const noexcept { ::freeaddrinfo(found); }
};

int milliseconds_until(Deadline deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    return static_cast<int>(std::clamp<int64_t>(left, 0, 60'000));
}

}  // namespace

Transport::Transport(const Address& address, Deadline deadline) : name_(address.name()) {
    try {
        connect(address, deadline);
        if (address.tls) shake_hands(address, deadline);
    } catch (...) {
        if (socket_ >= 0) ::close(socket_);
        throw;
    }
}

Transport::~Transport() {
    ::close(socket_);
}

void Transport::lose(const std::string& why) const {
    throw lost_server(name_, why);
}

void Transport::connect(const Address& address, Deadline deadline) {
    constexpr int kKind = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    if (!address.path.empty()) {
        sockaddr_un to{};
        to.sun_family = AF_UNIX;
        if (address.path.size() >= sizeof to.sun_path) lose("the path of the socket is too long");
        address.path.copy(to.sun_path, sizeof to.sun_path - 1);
        socket_ = ::socket(AF_UNIX, kKind, 0);
        if (socket_ < 0 || ::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
            lose(std::strerror(errno));
        return;
    }
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* raw = nullptr;
    const int failed = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &raw);
    const std::unique_ptr<addrinfo, Free> found(raw);
    if (failed != 0) lose(::gai_strerror(failed));
    std::string why;
    for (const addrinfo* one = found.get(); one != nullptr; one = one->ai_next) {
        socket_ = ::socket(one->ai_family, kKind, 0);
        if (socket_ < 0) lose(std::strerror(errno));
        try {
            if (::connect(socket_, one->ai_addr, one->ai_addrlen) != 0) {
                if (errno != EINPROGRESS) lose(std::strerror(errno));
                finish_connecting(deadline);
            }
            const int yes = 1;
            ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
            ::setsockopt(socket_, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
            return;
        } catch (const Failure&) {
            if (one->ai_next == nullptr) throw;
            ::close(socket_);
            socket_ = -1;
        }
    }
}

void Transport::finish_connecting(Deadline deadline) {
    require(true, deadline);
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) lose(std::strerror(error));
}

void Transport::shake_hands(const Address& address, Deadline deadline) {
    tls_ = std::make_unique<TlsSession>(*address.tls, socket_, address.host);
    for (;;) {
        const TlsSession::Step step = tls_->shake_hands();
        bytes_of(step);
        if (step.is_done) return;
        require(step.waits_to_write, deadline);
    }
}

size_t Transport::bytes_of(const TlsSession::Step& step) const {
    if (!step.trouble.empty()) lose(step.trouble);
    return step.bytes;
}

size_t Transport::write(std::string_view bytes) {
    if (tls_) return bytes_of(tls_->write(bytes));
    const ssize_t went = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (went >= 0) return static_cast<size_t>(went);
    if (errno == EAGAIN || errno == EINTR) return 0;
    lose(std::strerror(errno));
}

size_t Transport::read(char* into, size_t most) {
    if (tls_) {
        const TlsSession::Step step = tls_->read(into, most);
        reading_waits_to_write_ = step.waits_to_write;
        return bytes_of(step);
    }
    const ssize_t came = ::recv(socket_, into, most, 0);
    if (came > 0) return static_cast<size_t>(came);
    if (came == 0) lose("the server closed the connection");
    if (errno == EAGAIN || errno == EINTR) return 0;
    lose(std::strerror(errno));
}

bool Transport::wait(bool writing, Deadline deadline) {
    const bool wants_out = writing || reading_waits_to_write_;
    pollfd one{socket_, static_cast<short>(POLLIN | (wants_out ? POLLOUT : 0)), 0};
    return ::poll(&one, 1, milliseconds_until(deadline)) != 0 || Clock::now() < deadline;
}

void Transport::require(bool writing, Deadline deadline) {
    if (!wait(writing, deadline)) lose("no answer in time");
}

}  // namespace belfry::redis
