// SPDX-License-Identifier: Apache-2.0
// Connection from a name to a usable session: addresses one after the other, TCP, TLS, ALPN.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "http/connection.h"
#include "http/loop.h"

namespace belfry::http {

namespace {

constexpr int64_t kAttemptTimeoutNs = 3 * kNsPerSecond;  // one address, while there are others
constexpr int kNotSentLowat = 128 * 1024;                // bytes in the kernel that are not on the wire yet
constexpr unsigned kUserTimeoutMs = 20'000;  // unacknowledged for so long: the kernel gives the connection up

bool set_option(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

UniqueFd make_socket(const Address& address) {
    UniqueFd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) return fd;
    set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, kNotSentLowat);
    set_option(fd.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMs);
    return fd;
}

}  // namespace

void Connection::begin() {
    received_at_ = loop_.now();
    setup_until_ = loop_.now() + loop_.options().connect_timeout_ms * kNsPerMs;
    Endpoint& endpoint = pool_.endpoint();
    arm(setup_until_);
    ticket_ = loop_.look_up(*this, endpoint.origin, endpoint.config.untrusted);
    if (ticket_ == 0) fail_setup("too many name lookups are waiting");
}

void Connection::on_resolved(Notice&& notice) {
    ticket_ = 0;
    if (state_ != State::Resolving) return;
    if (notice.addresses.empty()) {
        fail_setup(notice.failure);
        return;
    }
    addresses_ = std::move(notice.addresses);
    if (pool_.endpoint().origin.plain) {
        std::erase_if(addresses_, [](const Address& address) {
            return !is_loopback(reinterpret_cast<const sockaddr*>(&address.storage));
        });
        if (addresses_.empty()) {
            fail_setup(pool_.endpoint().origin.host + " is not this machine: http:// is for loopback addresses only");
            return;
        }
    }
    state_ = State::Connecting;
    try_next_address("no address");
}

void Connection::try_next_address(std::string_view why) {
    std::string last(why);
    while (next_address_ < addresses_.size()) {
        const Address& address = addresses_[next_address_++];
        wire_.take(make_socket(address));
        if (wire_) {
            watching_output_ = true;
            const int code = connect(wire_.fd(), reinterpret_cast<const sockaddr*>(&address.storage), address.length);
            if ((code == 0 || errno == EINPROGRESS) && loop_.watch(*this, wire_.fd(), true, false)) {
                const bool last_one = next_address_ == addresses_.size();
                attempt_until_ = last_one ? kNever : loop_.now() + kAttemptTimeoutNs;
                arm(std::min(setup_until_, attempt_until_));
                return;
            }
        }
        last = std::strerror(errno);
    }
    fail_setup("cannot connect to " + pool_.endpoint().origin.authority + ": " + last);
}

void Connection::start_handshake() {
    int failure = 0;
    socklen_t length = sizeof failure;
    getsockopt(wire_.fd(), SOL_SOCKET, SO_ERROR, &failure, &length);
    if (failure != 0) {
        try_next_address(std::strerror(failure));
        return;
    }
    Endpoint& endpoint = pool_.endpoint();
    arm(setup_until_);
    if (endpoint.origin.plain) return choose_session();
    Result<Ssl> made = make_tls_session(*endpoint.tls, endpoint.origin, wire_.fd(), pool_.tls_memory());
    if (!made) {
        fail_setup(made.error().message);
        return;
    }
    wire_.take(std::move(*made));
    state_ = State::Handshaking;
    continue_handshake();
}

void Connection::continue_handshake() {
    bool for_output = false;
    switch (wire_.shake_hands(pool_.endpoint().origin, for_output)) {
        case Wire::Io::Moved:
            return choose_session();
        case Wire::Io::Wait:
            return watch(for_output);
        default:
            pool_.tls_memory().reset();  // should the peer not get along with its own ticket
            return fail_setup(wire_.why());
    }
}

void Connection::choose_session() {
    const Endpoint& endpoint = pool_.endpoint();
    http1_ = !wire_.secure() || !chose_h2(wire_.ssl());
    if (http1_ && wire_.secure() && !endpoint.config.http1_ok) {
        fail_setup(endpoint.origin.authority + " does not speak HTTP/2 (ALPN did not choose h2)");
        return;
    }
    nghttp2_mem* memory = loop_.recycler().as_nghttp2();
    if (http1_) {
        session_ = make_http1_session(*this);
    } else {
        session_ =
            loop_.options().nghttp2_frames ? make_nghttp2_session(*this, memory) : make_direct_session(*this, memory);
    }
    opened();
}

void Connection::opened() {
    state_ = State::Open;
    addresses_.clear();
    opened_at_ = received_at_ = idle_since_ = pinged_at_ = loop_.now();
    watch(false);
    pool_.on_opened(*this);
    loop_.want_flush(*this);
    arm_next();
    read();
}

void Connection::fail_setup(std::string_view why) {
    close(why);
}

}  // namespace belfry::http
