// SPDX-License-Identifier: Apache-2.0
#include "api/connection.h"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

namespace belfry::api {
namespace {

using Outcome = Transfer::Outcome;

// What a client may still be sending after it was refused; closing on it would reset the connection and lose the
// answer.
constexpr size_t kDrainBytesMax = 1 << 20;

constexpr size_t kBodyWithHeadMax = 16 * 1024;  // a longer body is not copied behind its head

// A request that is longer is lent a worker before it is there as a whole: of its body, the rest is read by the worker.
constexpr size_t kGatherMax = kHeadBytesMax;
constexpr size_t kReceiveStep = 16 * 1024;
constexpr size_t kKeptWhenIdle = 1024;  // bytes of memory

}  // namespace

Connection::Connection(int fd, const TlsContext& tls, const ConnectionLimits& limits, const Clock& clock)
    : limits_(limits), clock_(clock), socket_(fd, tls) {}

size_t Connection::held_bytes() const noexcept {
    const size_t all = in_.capacity() + rest_.capacity();
    return all - std::min(all, kKeptWhenIdle);
}

Connection::Arrived Connection::proceed() noexcept {
    try {
        if (!sends()) return receive();
        may_hold_more_ = true;  // what comes meanwhile is not announced again
        switch (send_rest()) {
            case Next::Again:
                return Arrived::Whole;
            case Next::Wait:
                return !sends() && has_begun() ? Arrived::Part : Arrived::Nothing;
            case Next::Later:
            case Next::Close:
                break;
        }
    } catch (const std::exception&) {
        // No memory.
    }
    return Arrived::Over;
}

Connection::Arrived Connection::receive() {
    if (drains_) return drain();
    if (shakes_hands()) return Arrived::Whole;
    std::array<char, kReceiveStep> bytes;
    may_hold_more_ = true;
    while (may_hold_more_ && received().size() < kGatherMax) {
        const Transfer got = socket_.receive(bytes.data(), bytes.size());
        in_.append(bytes.data(), got.bytes);
        may_hold_more_ = got.outcome == Outcome::Done && (end_announced.load(std::memory_order_relaxed) ||
                                                          socket_.may_hold_more(got.bytes, bytes.size()));
        ended_ = got.outcome == Outcome::Ended || got.outcome == Outcome::Broken;
    }
    return judged();
}

Connection::Arrived Connection::judged() {
    // Empty lines before a request are no part of it (RFC 9112 2.2).
    if (head_.is_untouched()) begin_ = std::min(in_.find_first_not_of("\r\n", begin_), in_.size());
    if (!has_begun()) {
        in_.clear();
        begin_ = 0;
        if (in_.capacity() > kKeptWhenIdle) in_.shrink_to_fit();
        return ended_ ? Arrived::Whole : Arrived::Nothing;
    }
    const HeadReader::State state = head_.read(received());
    if (ended_ || state == HeadReader::State::Refused) return Arrived::Whole;
    if (state == HeadReader::State::Reading) return Arrived::Part;
    // Of a body that is long, comes in chunks or waits for "100 Continue" nothing is awaited.
    const int64_t length = head_.body_length();
    const bool gathered = length >= 0 && head_.size() + static_cast<size_t>(length) <= kGatherMax &&
                          head_.field(received(), "Expect").empty();
    return gathered && received().size() < head_.size() + static_cast<size_t>(length) ? Arrived::Part : Arrived::Whole;
}

Connection::Arrived Connection::drain() noexcept {
    std::array<char, kReceiveStep> nowhere;
    while (drained_ < kDrainBytesMax) {
        const Transfer got = socket_.receive_raw(nowhere.data(), nowhere.size());
        drained_ += got.bytes;
        if (got.outcome == Outcome::WaitsToRead) return Arrived::Nothing;
        if (got.outcome != Outcome::Done) break;
    }
    return Arrived::Over;
}

Connection::Next Connection::shake_hands() {
    switch (socket_.tls()->shake_hands()) {
        case TlsSocket::Handshake::Failed:
            return Next::Close;
        case TlsSocket::Handshake::SpokeHttp:
            return end_after_refusal();
        case TlsSocket::Handshake::Waits:
            return Next::Wait;
        case TlsSocket::Handshake::Done:
            break;
    }
    return receive() == Arrived::Whole ? Next::Again : Next::Wait;
}

Connection::Next Connection::serve(HttpApi& api, bool last) {
    if (shakes_hands()) return shake_hands();
    Next next = Next::Close;
    try {
        if (exchange_) {
            next = conclude(exchange_->late->take(), last);
        } else {
            switch (head_.read(received())) {
                case HeadReader::State::Reading:
                    if (has_begun()) next = refuse(400, "the request ends in its head");
                    break;
                case HeadReader::State::Refused:
                    next = refuse(head_.refusal(), head_.why());
                    break;
                case HeadReader::State::Complete:
                    next = exchange(api, last);
                    break;
            }
        }
    } catch (const std::exception&) {
        // No memory: there is none for an answer either.
    }
    if (next != Next::Later) exchange_.reset();
    if (!sends()) deadline_.store(0, std::memory_order_relaxed);
    return next;
}

void Connection::when_there(std::function<void()> there) {
    // Whoever serves the connection then ends the exchange, perhaps before this returns.
    const std::shared_ptr<LateAnswer> late = exchange_->late;
    late->when_there(std::move(there));
}

Connection::Exchange::Exchange(Connection& of)
    : clock(of.deadline_, of.limits_.request_timeout, of.clock_),
      request(of.head_, of.received(), of.socket_, of.limits_.request_timeout, clock) {}

Connection::Next Connection::exchange(HttpApi& api, bool last) {
    exchange_.emplace(*this);
    HttpResponse answer = api.handle(exchange_->request);
    if (!answer.late) return conclude(std::move(answer), last);
    exchange_->clock.stop();
    exchange_->late = std::move(answer.late);
    return Next::Later;
}

Connection::Next Connection::conclude(HttpResponse answer, bool last) {
    auto& [clock, request, late] = *exchange_;
    AnswerLine line;
    line.http_1_0 = head_.is_http_1_0();
    if (answer.stream) line.framing = line.http_1_0 ? Framing::UntilEnd : Framing::Chunks;
    line.keep = !answer.close && !last && line.framing != Framing::UntilEnd && request.is_read() && head_.keeps_alive();
    then_ = !request.is_read() ? Then::Drain : line.keep ? Then::Keep : Then::Close;
    const bool bodiless = head_.method() == "HEAD";
    may_hold_more_ |= request.read_socket();
    forget_request(request.used(), request.surplus());
    clock.start();
    if (!answer.stream) return write(std::move(answer), line, bodiless);
    return write_stream(answer, line) ? end_of_answer() : Next::Close;
}

Connection::Next Connection::end_of_answer() {
    deadline_.store(0, std::memory_order_relaxed);
    switch (then_) {
        case Then::Keep:
            return (may_hold_more_ ? receive() : judged()) == Arrived::Whole ? Next::Again : Next::Wait;
        case Then::Drain:
            return end_after_refusal();
        case Then::Close:
            break;
    }
    return Next::Close;
}

void Connection::forget_request(size_t used, const std::string& surplus) {
    in_ += surplus;
    begin_ += used;
    head_.reset();
    // What is left of it is the beginning of another.
    if (!surplus.empty() || begin_ > kGatherMax) in_.erase(0, std::exchange(begin_, 0));
}

Connection::Next Connection::refuse(int status, std::string_view why) {
    HttpResponse refused;
    refused.status = status;
    refused.content_type = "text/plain; charset=utf-8";
    refused.body.append(http_status_str(static_cast<http_status>(status))).append(": ").append(why).append("\n");
    RequestClock(deadline_, limits_.request_timeout, clock_).start();
    then_ = Then::Drain;
    return write(std::move(refused), {}, false);
}

Connection::Next Connection::end_after_refusal() {
    socket_.finish();
    drains_ = true;
    std::string().swap(in_);
    begin_ = 0;
    return drain() == Arrived::Over ? Next::Close : Next::Wait;
}

Connection::Next Connection::write(HttpResponse&& answer, const AnswerLine& line, bool bodiless) {
    const std::string_view body = bodiless ? std::string_view() : answer.body;
    const bool together = body.size() <= kBodyWithHeadMax;
    rest_ = answer_head(answer, line, together ? body.size() : 0);
    rest_sent_ = 0;
    if (together) {
        rest_ += body;
        return send_rest();
    }
    std::string_view head = rest_;
    const Outcome outcome = socket_.send_now(head);
    if (outcome == Outcome::Done) {
        rest_ = std::move(answer.body);
        return send_rest();
    }
    rest_sent_ = rest_.size() - head.size();
    rest_ += body;
    return waits(outcome) ? Next::Wait : Next::Close;
}

// What the client takes at once.
Connection::Next Connection::send_rest() {
    std::string_view left = std::string_view(rest_).substr(rest_sent_);
    const Outcome outcome = socket_.send_now(left);
    rest_sent_ = rest_.size() - left.size();
    if (waits(outcome)) return Next::Wait;
    std::string().swap(rest_);
    return outcome == Outcome::Done ? end_of_answer() : Next::Close;
}

// The client has its time for every piece; none runs while the next one is made. A stream that breaks is cut before its
// last chunk.
bool Connection::write_stream(const HttpResponse& answer, const AnswerLine& line) {
    RequestClock clock(deadline_, limits_.request_timeout, clock_);
    std::string piece = answer.body;
    std::string out = answer_head(answer, line, piece.size());
    auto next = BodyStream::Next::More;
    while (true) {
        if (line.framing == Framing::Chunks) {
            append_chunk(out, piece);
            if (next == BodyStream::Next::Last) out += kLastChunk;
        } else {
            out += piece;
        }
        clock.start();
        if (!socket_.send(out, limits_.request_timeout)) return false;
        clock.stop();
        if (next == BodyStream::Next::Last) return true;
        if (next == BodyStream::Next::Broken) {
            cut();
            return false;
        }
        piece.clear();
        out.clear();
        next = answer.stream->next(piece);
    }
}

}  // namespace belfry::api
