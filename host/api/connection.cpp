// SPDX-License-Identifier: Apache-2.0
#include "api/connection.h"

#include <Poco/DateTimeFormat.h>
#include <Poco/DateTimeFormatter.h>
#include <Poco/Net/HTTPServerRequestImpl.h>
#include <Poco/Net/HTTPServerResponseImpl.h>
#include <Poco/Net/NetException.h>
#include <Poco/Timestamp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <optional>
#include <string_view>
#include <utility>

#include "api/reader.h"

namespace belfry::api {
namespace {

// What a client may still be sending after it was refused; closing on it would reset the connection and lose the
// answer.
constexpr size_t kDrainBytesMax = 1 << 20;
constexpr int kDrainMs = 1000;

// So much of a streamed body must come within the time for a request, unless it ends before.
constexpr int64_t kPieceBytes = 4096;

constexpr size_t kHeadRoom = 512;               // for the head of an answer
constexpr size_t kBodyWithHeadMax = 16 * 1024;  // a longer body is not copied behind its head

// How long a request is that waits in the kernel for its rest before a worker is lent to it: less than the smallest
// receive buffer in use. A head beyond it is refused by Poco's own limits; a longer body is read by the worker.
constexpr size_t kPeekMax = 32 * 1024;

using Poco::Net::HTTPMessage;
using Poco::Net::HTTPResponse;
using Poco::Net::HTTPServerRequestImpl;
using Poco::Net::HTTPServerResponseImpl;

Poco::Net::HTTPServerParams::Ptr session_params(const ConnectionLimits& limits) {
    Poco::Net::HTTPServerParams::Ptr params(new Poco::Net::HTTPServerParams);
    params->setTimeout(Poco::Timespan(limits.request_timeout.count(), 0));
    params->setKeepAlive(true);
    params->setMaxKeepAliveRequests(0);
    return params;
}

// How long the body is: a number, -1 for chunks, nothing if the headers contradict each other (request smuggling).
std::optional<int64_t> body_length(const HTTPServerRequestImpl& request) {
    const auto many = [&](const std::string& name) {
        int n = 0;
        for (auto it = request.find(name); it != request.end(); ++it) n += Poco::icompare(it->first, name) == 0 ? 1 : 0;
        return n;
    };
    const int lengths = many(HTTPMessage::CONTENT_LENGTH);
    const int encodings = many(HTTPMessage::TRANSFER_ENCODING);
    if (lengths + encodings > 1) return std::nullopt;
    if (encodings == 1) {
        if (Poco::icompare(request.getTransferEncoding(), HTTPMessage::CHUNKED_TRANSFER_ENCODING) != 0)
            return std::nullopt;
        return -1;
    }
    if (lengths == 0) return 0;
    const std::string& text = request.find(HTTPMessage::CONTENT_LENGTH)->second;
    const bool digits = !text.empty() && text.size() <= 18 &&
                        std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) return std::nullopt;
    return std::stoll(text);
}

// When the client's time is running. With pieces it runs only while the server waits, and begins anew with each piece.
class RequestClock {
public:
    RequestClock(std::atomic<int64_t>& deadline, std::chrono::nanoseconds time, const Clock& clock)
        : deadline_(deadline), time_ns_(time.count()), clock_(clock), left_ns_(time_ns_) {}
    void start() noexcept { set(clock_.mono_ns() + time_ns_); }
    void stop() noexcept { set(0); }
    void expect_pieces() noexcept {
        pieces_ = true;
        stop();
    }
    void wait() noexcept {
        if (pieces_) set((waiting_since_ = clock_.mono_ns()) + left_ns_);
    }
    void got(int64_t bytes) noexcept {
        if (!pieces_) return;
        stop();
        left_ns_ -= clock_.mono_ns() - waiting_since_;
        if ((piece_bytes_ += std::max<int64_t>(bytes, 0)) < kPieceBytes) return;
        piece_bytes_ = 0;
        left_ns_ = time_ns_;
    }

private:
    void set(int64_t deadline) noexcept { deadline_.store(deadline, std::memory_order_relaxed); }
    std::atomic<int64_t>& deadline_;
    const int64_t time_ns_;
    const Clock& clock_;
    int64_t left_ns_, waiting_since_ = 0, piece_bytes_ = 0;
    bool pieces_ = false;
};

// The value of a header, wherever its line is; empty: not there.
std::string_view header_of(std::string_view head, std::string_view name) noexcept {
    for (size_t at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at)) {
        at += 2;
        const std::string_view line = head.substr(at, head.find("\r\n", at) - at);
        if (line.size() <= name.size() || line[name.size()] != ':' || !same_key(line.substr(0, name.size()), name))
            continue;
        const size_t value = line.find_first_not_of(" \t", name.size() + 1);
        return value == std::string_view::npos ? std::string_view() : line.substr(value);
    }
    return {};
}

// How long the body is that is awaited behind this head. Of one that is long, waits for "100 Continue", comes in chunks
// or contradicts itself nothing is: the worker refuses or reads it.
size_t awaited_body(std::string_view head) noexcept {
    if (!header_of(head, "Expect").empty() || !header_of(head, "Transfer-Encoding").empty()) return 0;
    const std::string_view text = header_of(head, "Content-Length");
    size_t length = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), length);
    return read.ec == std::errc() && head.size() + length <= kPeekMax ? length : 0;
}

class PocoRequest final : public HttpRequest {
public:
    PocoRequest(HTTPServerRequestImpl& request, HTTPServerResponseImpl& response, int64_t length, RequestClock& clock)
        : request_(request), response_(response), length_(length), left_(length), clock_(clock) {
        if (length == 0) clock_.stop();
    }

    std::string_view method() const override { return request_.getMethod(); }
    std::string_view target() const override {
        std::string_view target = request_.getURI();
        // The absolute form that proxies use (RFC 9112 3.2.2).
        for (const std::string_view scheme : {std::string_view("http://"), std::string_view("https://")}) {
            if (target.substr(0, scheme.size()) == scheme)
                target.remove_prefix(std::min(target.find('/', scheme.size()), target.size()));
        }
        return target;
    }
    std::string_view header(const std::string& name) const override {
        const auto it = request_.find(name);
        return it == request_.end() ? std::string_view() : std::string_view(it->second);
    }
    int64_t content_length() const override { return length_; }

    // One network read at most: the stream is asked for what it has buffered, never to fill `into`.
    int64_t read(char* into, size_t n) override {
        if (length_ >= 0 && left_ == 0) return 0;
        if (!started_ && request_.getExpectContinue()) response_.sendContinue();
        started_ = true;
        try {
            clock_.wait();
            const int64_t got = read_some(into, n);
            clock_.got(got);
            if (got >= 0 && (length_ >= 0 ? (left_ -= got) == 0 : got == 0)) clock_.stop();
            return got;
        } catch (const Poco::Exception&) {
            return -1;
        } catch (const std::exception&) {
            return -1;
        }
    }

    void expect_pieces() override { clock_.expect_pieces(); }

private:
    int64_t read_some(char* into, size_t n) {
        std::streambuf& buffer = *request_.stream().rdbuf();
        if (buffer.sgetc() == std::streambuf::traits_type::eof()) return length_ >= 0 ? -1 : 0;
        const std::streamsize there = std::max<std::streamsize>(buffer.in_avail(), 1);
        return buffer.sgetn(into, std::min(there, static_cast<std::streamsize>(n)));
    }

    HTTPServerRequestImpl& request_;
    HTTPServerResponseImpl& response_;
    const int64_t length_;
    int64_t left_;
    RequestClock& clock_;
    bool started_ = false;
};

// The Date header of now; written anew once a second.
const std::string& date_of_now() {
    struct Written {
        std::time_t second = -1;
        std::string text;
    };
    thread_local Written date;
    const Poco::Timestamp now;
    if (now.epochTime() != date.second)
        date = {now.epochTime(), Poco::DateTimeFormatter::format(now, Poco::DateTimeFormat::HTTP_FORMAT)};
    return date.text;
}

}  // namespace

// StreamSocket takes over the implementation object, which owns fd.
Connection::Connection(int fd, const TlsContext& tls, const ConnectionLimits& limits, const Clock& clock)
    : limits_(limits),
      clock_(clock),
      fd_(fd),
      tls_(tls ? new TlsSocket(fd, tls, limits.request_timeout) : nullptr),
      params_(session_params(limits)),
      session_(Poco::Net::StreamSocket(tls_ ? tls_ : new Poco::Net::StreamSocketImpl(fd)), params_) {
    session_.socket().setSendTimeout(Poco::Timespan(limits.request_timeout.count(), 0));
}

void Connection::cut() noexcept {
    ::shutdown(fd_, SHUT_RDWR);
}

Connection::Arrived Connection::arrived() noexcept {
    if (tls_) {
        if (!tls_->is_ready() || !tls_->look_ahead(kPeekMax)) return Arrived::Whole;
        return judged(tls_->ahead());
    }
    std::array<char, kPeekMax> bytes;
    const ssize_t n = ::recv(fd_, bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN || errno == EINTR ? Arrived::Nothing : Arrived::Whole;
    return n == 0 ? Arrived::Whole : judged(std::string_view(bytes.data(), static_cast<size_t>(n)));
}

Connection::Arrived Connection::judged(std::string_view there) noexcept {
    if (there.empty()) return Arrived::Nothing;
    if (there.size() >= kPeekMax) return Arrived::Whole;
    const bool a_method = there.front() >= 'A' && there.front() <= 'Z';
    if (!a_method || there.find("\n\n") != std::string_view::npos) return Arrived::Whole;
    const size_t end = there.find("\r\n\r\n");
    if (end == std::string_view::npos) return Arrived::Part;
    return there.size() < end + 4 + awaited_body(there.substr(0, end + 4)) ? Arrived::Part : Arrived::Whole;
}

// In one piece, or with a long body in two; Poco's streams cost twice as much as the rest of an answer.
void Connection::write(const HttpResponse& answer, const std::string& version, bool keep, bool without_body) {
    std::string head;
    head.reserve(kHeadRoom + (answer.body.size() <= kBodyWithHeadMax ? answer.body.size() : 0));
    head.append(version).append(" ").append(std::to_string(answer.status)).append(" ");
    head += HTTPResponse::getReasonForStatus(static_cast<HTTPResponse::HTTPStatus>(answer.status));
    const auto add = [&](std::string_view name, std::string_view value) {
        head.append("\r\n").append(name).append(": ").append(value);
    };
    add("Date", date_of_now());
    add("Connection", keep ? "Keep-Alive" : "Close");
    if (!answer.content_type.empty()) add("Content-Type", answer.content_type);
    for (const auto& [name, value] : answer.headers) add(name, value);
    add("Content-Length", std::to_string(answer.body.size()));
    head += "\r\n\r\n";
    std::string_view body = without_body ? std::string_view() : answer.body;
    if (body.size() <= kBodyWithHeadMax) head.append(std::exchange(body, {}));
    for (std::string_view part : {std::string_view(head), body}) {
        while (!part.empty()) part.remove_prefix(session_.write(part));
    }
}

// The client has its time for every piece; none runs while the next one is made. A stream that breaks is cut before its
// last chunk.
bool Connection::send_stream(Poco::Net::HTTPServerResponse& response, const HttpResponse& answer, bool chunked) {
    RequestClock clock(deadline_, limits_.request_timeout, clock_);
    response.set(HTTPResponse::DATE, date_of_now());
    response.setStatusAndReason(static_cast<HTTPResponse::HTTPStatus>(answer.status));
    response.setContentType(answer.content_type);
    response.setChunkedTransferEncoding(chunked);
    std::ostream& out = response.send();
    std::string piece = answer.body;
    while (true) {
        clock.start();
        out.write(piece.data(), static_cast<std::streamsize>(piece.size()));
        out.flush();
        clock.stop();
        if (!out) return false;
        piece.clear();
        const BodyStream::Next next = answer.stream->next(piece);
        if (next == BodyStream::Next::Last) break;
        if (next == BodyStream::Next::More) continue;
        out.write(piece.data(), static_cast<std::streamsize>(piece.size()));
        out.flush();
        cut();
        return false;
    }
    clock.start();  // the last chunk leaves when the response object ends
    return true;
}

void Connection::drain() noexcept {
    if (tls_) tls_->say_goodbye();
    ::shutdown(fd_, SHUT_WR);
    const int64_t end = clock_.mono_ns() + kDrainMs * kNsPerMs;
    std::array<char, 16 * 1024> nowhere{};
    for (size_t drained = 0; drained < kDrainBytesMax && clock_.mono_ns() < end;) {
        pollfd wanted{fd_, POLLIN, 0};
        if (::poll(&wanted, 1, kDrainMs) <= 0) return;
        const ssize_t n = ::recv(fd_, nowhere.data(), nowhere.size(), MSG_DONTWAIT);
        if (n <= 0) return;
        drained += static_cast<size_t>(n);
    }
}

Connection::Next Connection::shake_hands() {
    switch (tls_->shake_hands()) {
        case TlsSocket::Handshake::Failed:
            return Next::Close;
        case TlsSocket::Handshake::Waits:
            return Next::Wait;
        case TlsSocket::Handshake::Done:
            break;
    }
    return arrived() == Arrived::Whole ? Next::Again : Next::Wait;
}

Connection::Next Connection::serve(HttpApi& api, bool last) {
    if (shakes_hands()) return shake_hands();
    Next next = Next::Close;
    try {
        next = exchange(api, last);
    } catch (const Poco::Net::NoMessageException&) {
        // The client closed an idle connection.
    } catch (const Poco::Net::MessageException&) {
        session_.setKeepAlive(false);
        try {
            HttpResponse refused;
            refused.status = 400;
            refused.content_type = "text/plain; charset=utf-8";
            refused.body = "Bad Request\n";
            write(refused, HTTPMessage::HTTP_1_1, false, false);
            refused_unread_ = true;
        } catch (const std::exception&) {
            // Nobody is listening.
        }
    } catch (const std::exception&) {
        // The connection broke or was too slow: there is nobody to tell.
    }
    stop_clock();
    // Only now has the answer left: Poco sends a stream's end when the response object ends.
    if (refused_unread_) drain();
    return next;
}

// A client that speaks TLS to a plain port: whether a head ends in its random bytes is chance, else it waits its time.
bool Connection::begins_with_tls() {
    constexpr char kHandshakeRecord = 0x16;
    if (tls_ || session_.buffered() > 0) return false;
    char first = 0;
    return ::recv(fd_, &first, 1, MSG_PEEK | MSG_DONTWAIT) == 1 && first == kHandshakeRecord;
}

Connection::Next Connection::exchange(HttpApi& api, bool last) {
    RequestClock clock(deadline_, limits_.request_timeout, clock_);
    clock.start();
    if (begins_with_tls()) throw Poco::Net::MessageException("TLS");
    HTTPServerResponseImpl response(session_);
    HTTPServerRequestImpl request(response, session_, params_.get());
    const std::string& version = request.getVersion();
    const std::optional<int64_t> length = body_length(request);
    if (!length || (version != HTTPMessage::HTTP_1_1 && version != HTTPMessage::HTTP_1_0))
        throw Poco::Net::MessageException("headers");
    response.setVersion(version);
    PocoRequest asked(request, response, *length, clock);
    const HttpResponse answer = api.handle(asked);
    if (answer.broken) return Next::Close;
    // Without chunks only the end of the connection ends a stream.
    const bool endless = answer.stream && version != HTTPMessage::HTTP_1_1;
    const bool keep = !answer.close && !last && !endless && request.getKeepAlive();
    clock.start();
    if (answer.stream) {
        response.setKeepAlive(keep);
        if (!send_stream(response, answer, !endless)) return Next::Close;
    } else {
        write(answer, version, keep, asked.method() == "HEAD");
    }
    refused_unread_ = answer.close;
    if (!keep) return Next::Close;
    // What OpenSSL has decrypted already makes no socket readable.
    return session_.buffered() > 0 || (tls_ && arrived() == Arrived::Whole) ? Next::Again : Next::Wait;
}

}  // namespace belfry::api
