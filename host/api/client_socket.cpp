// SPDX-License-Identifier: Apache-2.0
#include "api/client_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace belfry::api {
namespace {

using Outcome = Transfer::Outcome;

Transfer outcome_of(ssize_t n, Outcome waits) noexcept {
    if (n > 0) return {Outcome::Done, static_cast<size_t>(n)};
    if (n == 0) return {Outcome::Ended};
    return {errno == EAGAIN || errno == EINTR ? waits : Outcome::Broken};
}

}  // namespace

ClientSocket::ClientSocket(int fd, const TlsContext& tls) : fd_(fd) {
    if (!tls) return;
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    tls_ = std::make_unique<TlsSocket>(fd, tls);
}

Transfer ClientSocket::receive(char* into, size_t room) noexcept {
    return tls_ ? tls_->receive(into, room) : receive_raw(into, room);
}

Transfer ClientSocket::receive_raw(char* into, size_t room) noexcept {
    return outcome_of(::recv(fd_.get(), into, room, MSG_DONTWAIT), Outcome::WaitsToRead);
}

bool ClientSocket::wait(Outcome outcome, std::chrono::milliseconds time) const noexcept {
    pollfd wanted{fd_.get(), static_cast<short>(outcome == Outcome::WaitsToRead ? POLLIN : POLLOUT), 0};
    int ready = 0;
    do {
        ready = ::poll(&wanted, 1, static_cast<int>(time.count()));
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
}

Outcome ClientSocket::send_now(std::string_view& bytes) noexcept {
    while (!bytes.empty()) {
        const Transfer sent =
            tls_ ? tls_->send(bytes)
                 : outcome_of(::send(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL),
                              Outcome::WaitsToWrite);
        if (sent.outcome != Outcome::Done) return sent.outcome;
        bytes.remove_prefix(sent.bytes);
    }
    return Outcome::Done;
}

bool ClientSocket::send(std::string_view bytes, std::chrono::milliseconds time) noexcept {
    while (true) {
        const Outcome outcome = send_now(bytes);
        if (outcome == Outcome::Done) return true;
        if (!waits(outcome) || !wait(outcome, time)) return false;
    }
}

void ClientSocket::finish() noexcept {
    if (tls_) tls_->say_goodbye();
    ::shutdown(fd_.get(), SHUT_WR);
}

void ClientSocket::cut() noexcept {
    ::shutdown(fd_.get(), SHUT_RDWR);
}

}  // namespace belfry::api
