// SPDX-License-Identifier: Apache-2.0
// An open connection: reading, writing, probes and its end.
#include "http/connection.h"

#include <sys/epoll.h>

#include <algorithm>

#include "http/loop.h"
#include "http/pool.h"

namespace belfry::http {

namespace {

constexpr size_t kOutput = 64 * 1024;                // what is produced before it is written
constexpr int kReadsPerTurn = 16;                    // records a connection may read before others have their turn
constexpr int64_t kLookEveryNs = 60 * kNsPerSecond;  // at a busy connection, for what is not due by itself
constexpr int64_t kPongTimeoutNs = 5 * kNsPerSecond;
constexpr int64_t kLeaveNs = 10 * kNsPerSecond;      // a peer has for the rest of what we wrote
constexpr int64_t kUnusedTooShortNs = kNsPerSecond;  // left unused sooner than that: not a peer's idle time-out
constexpr size_t kDebugTextMax = 200;                // of a GOAWAY, in logs

// Only visible ASCII of what a peer said, and not too much of it.
std::string printable(std::string_view text) {
    std::string shown;
    for (const char c : text.substr(0, kDebugTextMax)) shown.push_back(c >= 0x20 && c < 0x7F ? c : '?');
    return shown;
}

}  // namespace

Connection::Connection(Loop& loop, Pool& pool) : Timer(loop.timers()), loop_(loop), pool_(pool) {}

Connection::~Connection() {
    if (ticket_ != 0) loop_.forget_lookup(ticket_);
}

void Connection::on_socket(uint32_t epoll_events) {
    switch (state_) {
        case State::Connecting:
            connected();
            return;
        case State::Tunnelling:
            continue_tunnel();
            return;
        case State::Handshaking:
            continue_handshake();
            return;
        case State::Open:
            if ((epoll_events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read();
            if (open() && (epoll_events & EPOLLOUT) != 0) loop_.want_flush(*this);
            return;
        case State::Resolving:
        case State::Closed:
            return;
    }
}

void Connection::watch(bool output) {
    if (output == watching_output_) return;
    watching_output_ = output;
    loop_.watch(*this, wire_.fd(), output, true);
}

void Connection::read() {
    std::vector<char>& input = loop_.input();
    for (int i = 0; open() && i < kReadsPerTurn; ++i) {
        size_t n = 0;
        const Wire::Io io = wire_.read(pool_.endpoint().origin, input.data(), input.size(), n);
        if (io == Wire::Io::Wait) {
            if (!output_fault_.empty()) close(output_fault_);
            return;
        }
        if (io != Wire::Io::Moved) return input_ended(io);
        received_at_ = loop_.now();
        if (const Status fed = session_->consume({input.data(), n}); !fed) {
            ended_by_peer_ = true;
            say_last();
            close(fed.error().message);
            return;
        }
        after_input();
    }
    if (open()) loop_.want_read(*this);
}

void Connection::input_ended(Wire::Io how) {
    ended_by_peer_ = true;
    if (how == Wire::Io::Ended) session_->end_of_input();
    // A peer that ends an HTTP/2 connection in order, or refuses it by an alert, without having sent SETTINGS (which
    // come first, RFC 9113 3.4) has not looked at any request; one that was cut off may have: its SETTINGS were lost.
    // HTTP/1.1 has no such sign but that our certificate will not do.
    const bool unprocessed = http1_ ? answers_ == 0 && wire_.refused_by_certificate_alert()
                                    : !settings_seen_ && (how == Wire::Io::Ended || wire_.refused_by_alert());
    close(wire_.why(), unprocessed);
}

void Connection::after_input() {
    for (const int32_t stream : to_cancel_) session_->cancel(stream);
    to_cancel_.clear();
    loop_.touch(pool_);
    if (session_->has_output() || session_->ended() || retiring_) loop_.want_flush(*this);
}

bool Connection::write_out(std::string_view bytes, size_t& written) {
    while (written < bytes.size()) {
        size_t n = 0;
        const Wire::Io io = wire_.write(pool_.endpoint().origin, bytes.substr(written), n);
        if (io == Wire::Io::Wait) return true;
        if (io != Wire::Io::Moved) {
            // What the peer said before it went waits to be read: answers, a GOAWAY, an alert about our certificate.
            output_fault_ = wire_.why();
            loop_.want_read(*this);
            return false;
        }
        written += n;
        written_ += n;
    }
    return true;
}

// True if nothing is left of it.
bool Connection::write_backlog() {
    if (backlog_.empty()) return true;
    if (!write_out({backlog_.data(), backlog_.size()}, backlog_done_)) return false;
    if (backlog_done_ < backlog_.size()) {
        watch(true);
        return false;
    }
    backlog_.clear();
    backlog_done_ = 0;
    watch(false);
    loop_.touch(pool_);  // there is room again
    return true;
}

void Connection::flush() {
    if (!open() || !output_fault_.empty()) return;
    // The rest of a request that is answered already, or not wanted any more: a peer may never read it.
    if (http1_ && session_->ended()) backlog_.clear();
    if (retiring_ && in_flight_ == 0) arm_earlier(leave_by());
    if (!write_backlog()) return;
    Output& output = loop_.output();
    unflushed_ = 0;
    while (true) {
        output.clear();
        if (const Status produced = session_->produce(output, kOutput); !produced) {
            close(produced.error().message);
            return;
        }
        if (output.empty()) break;
        produced_ += output.size();
        size_t written = 0;
        if (!write_out(output.view(), written)) return;
        if (written < output.size()) {
            backlog_.assign(output.data() + written, output.data() + output.size());
            watch(true);
            return;
        }
    }
    if (session_->ended()) {
        close(retire_reason_.empty() ? "the peer ended the session" : retire_reason_);
    } else if (retiring_ && in_flight_ == 0) {
        session_->go_away();
        say_last();
        close("");
    }
}

// What the session still has to say, if the socket takes it at once.
void Connection::say_last() {
    Output& output = loop_.output();
    output.clear();
    size_t written = 0;
    if (backlog_.empty() && session_->produce(output, kOutput)) static_cast<void>(write_out(output.view(), written));
}

uint32_t Connection::limit() const noexcept {
    if (!settings_seen_ && pool_.endpoint().config.wait_settings) return 1;
    return std::min(peer_limit_, kStreamsMax);
}

uint32_t Connection::room(bool high) const noexcept {
    if (state_ != State::Open || retiring_ || !backlog_.empty() || !output_fault_.empty()) return 0;
    const uint32_t all = limit();
    const uint32_t mine = high ? all : all - all / 10;
    return in_flight_ >= mine ? 0 : mine - in_flight_;
}

void Connection::on_peer_settings(uint32_t streams_max) noexcept {
    settings_seen_ = true;
    peer_limit_ = streams_max;
    loop_.touch(pool_);
}

void Connection::on_goaway(int32_t last_stream, uint32_t error_code, std::string_view debug) noexcept {
    ++pool_.tally().goaways;
    const std::string text = printable(debug);
    loop_.log().info("peer goes away", {{"endpoint", pool_.endpoint().origin.authority},
                                        {"last_stream", last_stream},
                                        {"code", nghttp2_http2_strerror(error_code)},
                                        {"debug", text}});
    retire(std::string("GOAWAY ") + nghttp2_http2_strerror(error_code) + (text.empty() ? "" : ": ") + text);
}

void Connection::remember_failure(AddressMemory& addresses) const {
    addresses.failed(peer_mark_);
    addresses.failed(target_mark_);
}

void Connection::remember_success(AddressMemory& addresses) const {
    addresses.worked(peer_mark_);
    addresses.worked(target_mark_);
}

void Connection::on_pong() noexcept {
    pong_until_ = kNever;
    arm_earlier(loop_.now() + pool_.endpoint().config.ping_s * kNsPerSecond);
}

void Connection::retire(std::string_view why) {
    if (retiring_ || state_ != State::Open) return;
    retiring_ = true;
    retired_at_ = loop_.now();
    retire_reason_ = why;
    loop_.touch(pool_);
    loop_.want_flush(*this);
}

void Connection::abandon(std::string_view why) {
    if (open()) {
        session_->go_away();
        flush();
    }
    close(why);
}

void Connection::on_time(int64_t now) noexcept {
    if (state_ == State::Closed) return;
    if (state_ != State::Open) {
        if (state_ == State::Connecting && now >= attempt_until_) {
            try_next_address("the connection attempt timed out");
        } else {
            setup_timed_out();
        }
        return;
    }
    if (now >= first_deadline_) expire_streams(now);
    if (!open()) return;
    const EndpointConfig& config = pool_.endpoint().config;
    if (now >= pong_until_) {
        close("no answer to PING");
        return;
    }
    if (retiring_ && in_flight_ == 0 && now >= leave_by()) {
        close("it takes no more, not even our goodbye");
        return;
    }
    if (in_flight_ == 0 && now >= idle_until()) retire("idle");
    if (config.age_max_s != 0 && now >= opened_at_ + config.age_max_s * kNsPerSecond) retire("old");
    const bool pinging = pong_until_ != kNever;
    const int64_t ping_at = std::max(received_at_, pinged_at_) + config.ping_s * kNsPerSecond;
    if (in_flight_ == 0 && !retiring_ && !pinging && !http1_ && now >= ping_at) {
        session_->ping();
        pinged_at_ = now;
        pong_until_ = now + std::min(kPongTimeoutNs, config.ping_s * kNsPerSecond);
        loop_.want_flush(*this);
    }
    arm_next();
}

// HTTP/1.1 has no PING: what cannot be probed is given up instead.
int64_t Connection::idle_until() const noexcept {
    const EndpointConfig& config = pool_.endpoint().config;
    return idle_since_ + (http1_ ? std::min(config.idle_s, config.ping_s) : config.idle_s) * kNsPerSecond;
}

// It has nothing more to do but to write what is left.
int64_t Connection::leave_by() const noexcept {
    return std::max(retired_at_, idle_since_) + kLeaveNs;
}

void Connection::arm_next() {
    const EndpointConfig& config = pool_.endpoint().config;
    int64_t next = std::min(first_deadline_, pong_until_);
    if (in_flight_ == 0 && retiring_) {
        next = std::min(next, leave_by());
    } else if (in_flight_ == 0) {
        next = std::min(next, idle_until());
        const int64_t ping_at = std::max(received_at_, pinged_at_) + config.ping_s * kNsPerSecond;
        if (pong_until_ == kNever && !http1_) next = std::min(next, ping_at);
    } else {
        // Streams come and go without arming anything.
        next = std::min(next, loop_.now() + kLookEveryNs);
    }
    if (config.age_max_s != 0 && !retiring_) next = std::min(next, opened_at_ + config.age_max_s * kNsPerSecond);
    arm(next);
}

void Connection::close(std::string_view why, bool unprocessed) {
    if (state_ == State::Closed) return;
    const bool was_open = open();
    state_ = State::Closed;
    arm(kNever);
    const std::string reason(why.empty() || retire_reason_.empty() ? why : retire_reason_);
    end_streams(unprocessed);
    session_.reset();
    wire_.close(was_open && reason.empty());
    // HTTP/1.1 has no SETTINGS by which a peer shows that it means to serve this connection.
    const bool left = http1_ && ended_by_peer_ && loop_.now() - opened_at_ < kUnusedTooShortNs;
    const bool useless = !was_open || !settings_seen_ || (answers_ == 0 && (requests_ > 0 || left));
    pool_.on_closed(*this, was_open, useless, reason);
}

}  // namespace belfry::http
