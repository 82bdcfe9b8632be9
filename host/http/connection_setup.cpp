// SPDX-License-Identifier: Apache-2.0
// Connection from a name to a usable session: addresses one after the other, TCP, a proxy's tunnel, TLS, ALPN.
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

constexpr int kNotSentLowat = 128 * 1024;  // bytes in the kernel that are not on the wire yet

bool set_option(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

UniqueFd make_socket(const Address& address, uint32_t unacknowledged_ms) {
    UniqueFd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) return fd;
    set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, kNotSentLowat);
    set_option(fd.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(unacknowledged_ms));
    return fd;
}

// Names without a domain, also with the root's dot, and those that look-ups take for addresses in an old notation: the
// last label is a number (WHATWG URL 3.5), as in 127.1 and 0x7f.1.
bool is_local_name(std::string_view host) {
    const size_t dot = host.rfind('.');
    if (dot == std::string_view::npos || dot + 1 == host.size()) return true;
    const std::string_view last = host.substr(dot + 1);
    return last.find_first_not_of("0123456789") == std::string_view::npos || last.substr(0, 2) == "0x";
}

}  // namespace

void Connection::begin() {
    received_at_ = loop_.now();
    setup_until_ = loop_.now() + loop_.options().connect_timeout_ms * kNsPerMs;
    arm(setup_until_);
    const Endpoint& endpoint = pool_.endpoint();
    if (!endpoint.proxy || endpoint.origin.plain) return look_up(endpoint.origin, endpoint.config.untrusted);
    // Whoever looks a name up decides which address is connected to. For names that came with a push that is us, unless
    // the operator left it to the proxy; an address that came with a push is ours to judge in any case.
    const bool judged_here = endpoint.config.untrusted && (!endpoint.config.proxy.looks_up || endpoint.origin.literal);
    if (judged_here) return look_up(endpoint.origin, true);
    if (endpoint.config.untrusted && is_local_name(endpoint.origin.host))
        return fail_setup("name " + endpoint.origin.host +
                          " is a local one or an odd address, and it came from outside");
    target_ = endpoint.origin.with_port();
    look_up(endpoint.proxy.at, false);
}

void Connection::look_up(const Origin& name, bool untrusted) {
    ticket_ = loop_.look_up(*this, name, untrusted);
    if (ticket_ == 0) fail_setup("too many name lookups are waiting");
}

void Connection::on_resolved(Notice&& notice) {
    ticket_ = 0;
    if (state_ != State::Resolving) return;
    if (notice.addresses.empty()) {
        fail_setup(notice.failure);
        return;
    }
    const Endpoint& endpoint = pool_.endpoint();
    addresses_ = std::move(notice.addresses);
    if (endpoint.proxy && !endpoint.origin.plain && target_.empty()) return choose_target();
    if (endpoint.origin.plain) {
        std::erase_if(addresses_, [](const Address& address) {
            return !is_loopback(reinterpret_cast<const sockaddr*>(&address.storage));
        });
        if (addresses_.empty()) {
            fail_setup(endpoint.origin.host + " is not this machine: http:// is for loopback addresses only");
            return;
        }
    }
    std::stable_partition(addresses_.begin(), addresses_.end(), [this](const Address& address) {
        return pool_.family == AF_UNSPEC || address.storage.ss_family == pool_.family;
    });
    pool_.addresses.order(addresses_);
    state_ = State::Connecting;
    try_next_address("no address");
}

// The proxy gets one address that the policy allows, another one after a failure: why a tunnel did not come about it
// seldom says. IPv4 first: a proxy without IPv6 is the likelier one.
void Connection::choose_target() {
    std::stable_partition(addresses_.begin(), addresses_.end(),
                          [](const Address& address) { return address.storage.ss_family == AF_INET; });
    pool_.addresses.order(addresses_);
    target_ = to_text(addresses_.front());
    target_mark_ = mark_of(addresses_.front());
    addresses_.clear();
    look_up(pool_.endpoint().proxy.at, false);
}

void Connection::try_next_address(std::string_view why) {
    std::string last(why);
    while (next_address_ < addresses_.size()) {
        pool_.addresses.failed(peer_mark_);  // the one before
        const Address& address = addresses_[next_address_++];
        peer_mark_ = mark_of(address);
        const uint32_t unacknowledged_ms = loop_.options().unacknowledged_ms;
        wire_.take(make_socket(address, unacknowledged_ms));
        if (!wire_ && (errno == EMFILE || errno == ENFILE) && loop_.close_one_idle(false))
            wire_.take(make_socket(address, unacknowledged_ms));
        if (wire_) {
            watching_output_ = true;
            const int code = connect(wire_.fd(), reinterpret_cast<const sockaddr*>(&address.storage), address.length);
            if ((code == 0 || errno == EINPROGRESS) && loop_.watch(*this, wire_.fd(), true, false)) {
                const bool last_one = next_address_ == addresses_.size();
                attempt_until_ = last_one ? kNever : loop_.now() + loop_.options().attempt_timeout_ms * kNsPerMs;
                arm(std::min(setup_until_, attempt_until_));
                return;
            }
        }
        last = std::strerror(errno);
    }
    const Endpoint& endpoint = pool_.endpoint();
    fail_setup("cannot connect to " +
               (target_.empty() ? endpoint.origin.authority : "proxy " + endpoint.proxy.at.with_port()) + ": " + last);
}

void Connection::connected() {
    int failure = 0;
    socklen_t length = sizeof failure;
    getsockopt(wire_.fd(), SOL_SOCKET, SO_ERROR, &failure, &length);
    if (failure != 0) {
        try_next_address(std::strerror(failure));
        return;
    }
    arm(setup_until_);
    if (!target_.empty()) return start_tunnel();
    pool_.endpoint().origin.plain ? choose_session() : start_handshake();
}

void Connection::start_tunnel() {
    const ProxyRoute& proxy = pool_.endpoint().proxy;
    tunnel_ = std::make_unique<ProxyTunnel>(proxy.at.with_port(), target_, proxy.credentials);
    state_ = State::Tunnelling;
    continue_tunnel();
}

void Connection::continue_tunnel() {
    const Origin& origin = pool_.endpoint().origin;
    size_t n = 0;
    while (!tunnel_->unsent().empty()) {
        const Wire::Io io = wire_.write(origin, tunnel_->unsent(), n);
        if (io == Wire::Io::Wait) return watch(true);
        if (io != Wire::Io::Moved)
            return fail_setup("proxy " + pool_.endpoint().proxy.at.with_port() + ": " + wire_.why());
        tunnel_->sent(n);
    }
    watch(false);
    std::vector<char>& input = loop_.input();
    ProxyTunnel::State answer = ProxyTunnel::State::Asking;
    while (answer == ProxyTunnel::State::Asking) {
        const Wire::Io io = wire_.read(origin, input.data(), input.size(), n);
        if (io == Wire::Io::Wait) return;
        if (io != Wire::Io::Moved)
            return fail_setup("proxy " + pool_.endpoint().proxy.at.with_port() + ": " + wire_.why());
        answer = tunnel_->consume({input.data(), n});
    }
    if (answer == ProxyTunnel::State::Refused) return fail_setup(tunnel_->why());
    tunnel_.reset();
    start_handshake();
}

void Connection::start_handshake() {
    Endpoint& endpoint = pool_.endpoint();
    Result<Ssl> made = make_tls_session(*endpoint.tls, endpoint.origin, wire_.fd(), pool_.tls_memory());
    if (!made) {
        fail_setup(made.error().message);
        return;
    }
    wire_.take(std::move(*made));
    if (endpoint.passing) SSL_set_mode(wire_.ssl(), SSL_MODE_RELEASE_BUFFERS);  // many, and mostly idle
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
    pool_.family = addresses_[next_address_ - 1].storage.ss_family;
    addresses_.clear();
    opened_at_ = received_at_ = idle_since_ = pinged_at_ = loop_.now();
    watch(false);
    pool_.on_opened(*this);
    loop_.want_flush(*this);
    arm_next();
    read();
}

void Connection::setup_timed_out() {
    switch (state_) {
        case State::Resolving:
            return fail_setup("the name lookup timed out");
        case State::Tunnelling:
            return fail_setup("proxy " + pool_.endpoint().proxy.at.with_port() + " did not answer in time");
        default:
            return fail_setup("connecting timed out");
    }
}

void Connection::fail_setup(std::string_view why) {
    close(why);
}

}  // namespace belfry::http
