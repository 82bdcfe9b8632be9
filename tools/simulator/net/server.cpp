// SPDX-License-Identifier: Apache-2.0
#include "net/server.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "net/h1_session.h"
#include "net/h2_session.h"

namespace belfry::simulator {

namespace {

constexpr std::size_t kReadSize = 64 * 1024;
constexpr std::size_t kMaxConnections = 16'384;
constexpr std::chrono::milliseconds kAgeCheck{100};
constexpr std::chrono::milliseconds kLinger{1000};

}  // namespace

Connection::Connection(Server& server, std::uint64_t id, int fd, SSL_CTX* tls, bool stalled)
    : server_(server),
      id_(id),
      socket_(fd, stalled ? nullptr : tls),
      watched_(stalled ? 0U : static_cast<std::uint32_t>(EPOLLIN)),
      opened_(Loop::now()),
      last_active_(opened_) {
    if (stalled) state_ = State::Silent;
    server_.loop().add(fd, watched_, *this);
    server_.backend().on_connection_event(id_, ConnectionEvent::Opened);
}

Connection::~Connection() {
    server_.loop().remove(socket_.fd());
    server_.backend().on_connection_event(id_, ConnectionEvent::Closed);
}

Backend& Connection::backend() {
    return server_.backend();
}

void Connection::on_events(std::uint32_t events) {
    if (state_ == State::Silent) {
        if ((events & (EPOLLERR | EPOLLHUP)) != 0) state_ = State::Dead;
        settle();
        return;
    }
    last_active_ = Loop::now();
    if (state_ == State::Lingering) discard_input();
    if (state_ == State::Handshaking) shake_hands();
    if (state_ == State::Open) read_all();
    if (state_ == State::Open) flush();
    settle();
}

void Connection::shake_hands() {
    const IoResult result = socket_.handshake();
    if (result.state == Io::WouldBlock) return;
    if (result.state == Io::Closed) {
        server_.backend().on_connection_event(id_, ConnectionEvent::HandshakeFailed);
        state_ = State::Dead;
        return;
    }
    server_.backend().on_connection_event(id_, ConnectionEvent::HandshakeDone);
    state_ = State::Open;
    if (auto certificate = socket_.client_certificate()) {
        server_.backend().on_client_certificate(id_, std::move(*certificate));
    }
    if (socket_.alpn() == "h2") {
        session_ = std::make_unique<H2Session>(*this);
    } else if (server_.backend().wire_settings(id_).http2_only) {
        state_ = State::Dead;
    } else {
        session_ = std::make_unique<H1Session>(*this);
    }
}

void Connection::read_all() {
    static thread_local std::array<std::uint8_t, kReadSize> buffer;
    while (state_ == State::Open) {
        const IoResult result = socket_.read(buffer);
        if (result.state == Io::WouldBlock) return;
        if (result.state == Io::Closed) {
            state_ = State::Dead;
            return;
        }
        session_->receive(std::span(buffer).first(result.bytes));
    }
}

void Connection::flush() {
    while (state_ == State::Open) {
        if (output_sent_ == output_.size()) {
            output_.clear();
            output_sent_ = 0;
            session_->pull(output_);
            if (output_.empty()) break;
        }
        const IoResult result = socket_.write(std::string_view(output_).substr(output_sent_));
        if (result.state == Io::WouldBlock) {
            watch(EPOLLIN | EPOLLOUT);
            return;
        }
        if (result.state == Io::Closed) {
            state_ = State::Dead;
            return;
        }
        output_sent_ += result.bytes;
    }
    if (state_ != State::Open) return;
    watch(EPOLLIN);
    if (session_->finished()) linger();
}

// Closing with unread input makes the kernel send an RST, which may overtake our last frames: say goodbye first,
// then discard what still comes.
void Connection::linger() {
    socket_.end_output();
    state_ = State::Lingering;
    server_.loop().after(kLinger, [&server = server_, id = id_] { server.drop(id); });
}

void Connection::discard_input() {
    if (!socket_.discard_input()) state_ = State::Dead;
}

void Connection::watch(std::uint32_t events) {
    if (watched_ == events) return;
    watched_ = events;
    server_.loop().modify(socket_.fd(), events);
}

void Connection::settle() {
    if (state_ == State::Dead) server_.drop(id_);
}

void Connection::later(std::chrono::milliseconds delay, std::function<void(Session&)> task) {
    server_.loop().after(delay, [&server = server_, id = id_, task = std::move(task)] {
        if (Connection* connection = server.find(id)) connection->run_later(task);
    });
}

void Connection::run_later(const std::function<void(Session&)>& task) {
    if (state_ != State::Open) return;
    last_active_ = Loop::now();
    task(*session_);
    flush();
    settle();
}

void Connection::reset_tcp() {
    socket_.reset_on_close();
    state_ = State::Dead;
}

void Connection::go_silent() {
    if (state_ != State::Dead) state_ = State::Silent;
    watch(0);
}

void Connection::wire_settings_changed() {
    if (state_ != State::Open) return;
    session_->wire_settings_changed();
    flush();
    settle();
}

void Connection::check_age(const WireSettings& wire) {
    if (state_ != State::Open) return;
    const auto now = Loop::now();
    const bool too_old = wire.max_age.count() > 0 && now - opened_ > wire.max_age;
    const bool too_idle = wire.max_idle.count() > 0 && !session_->busy() && now - last_active_ > wire.max_idle;
    if (!too_old && !too_idle) return;
    session_->retire(too_old ? wire.age_debug : wire.idle_debug);
    flush();
    settle();
}

Server::Server(Loop& loop, Endpoint& endpoint, SSL_CTX* tls, Backend& backend,
               std::atomic<std::uint64_t>& connection_ids)
    : loop_(loop), tls_(tls), backend_(backend), connection_ids_(connection_ids), listener_(listen_on(endpoint)) {
    endpoint_ = endpoint;
}

Server::~Server() {
    connections_.clear();
    if (listener_ >= 0) close(listener_);
}

void Server::start() {
    if (listener_ >= 0) loop_.add(listener_, EPOLLIN, *this);
    loop_.after(kAgeCheck, [this] { check_ages(); });
}

void Server::on_events(std::uint32_t) {
    accept_all();
}

void Server::set_accepting(bool accepting) {
    if (accepting == (listener_ >= 0)) return;
    if (accepting) {
        listener_ = listen_on(endpoint_);
        loop_.add(listener_, EPOLLIN, *this);
    } else {
        loop_.remove(listener_);
        close(listener_);
        listener_ = -1;
    }
}

void Server::wire_settings_changed() {
    std::vector<std::uint64_t> ids;
    for (const auto& [id, connection] : connections_) ids.push_back(id);
    for (const std::uint64_t id : ids) {
        if (Connection* connection = find(id)) connection->wire_settings_changed();
    }
}

void Server::silence_all() {
    for (const auto& [id, connection] : connections_) connection->go_silent();
}

Connection* Server::find(std::uint64_t id) {
    const auto found = connections_.find(id);
    return found == connections_.end() ? nullptr : found->second.get();
}

void Server::accept_all() {
    while (listener_ >= 0) {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        const AcceptFate fate = connections_.size() >= kMaxConnections ? AcceptFate::Reset : backend_.on_accept();
        if (fate == AcceptFate::Reset) {
            Socket(fd, nullptr).reset_on_close();
            continue;
        }
        const std::uint64_t id = ++connection_ids_;
        auto connection = std::make_unique<Connection>(*this, id, fd, tls_, fate == AcceptFate::StallTls);
        connections_.emplace(id, std::move(connection));
    }
}

void Server::check_ages() {
    const WireSettings wire = backend_.wire_settings(0);
    if (wire.max_age.count() > 0 || wire.max_idle.count() > 0) {
        std::vector<std::uint64_t> ids;
        for (const auto& [id, connection] : connections_) ids.push_back(id);
        for (const std::uint64_t id : ids) {
            if (Connection* connection = find(id)) connection->check_age(wire);
        }
    }
    loop_.after(kAgeCheck, [this] { check_ages(); });
}

}  // namespace belfry::simulator
