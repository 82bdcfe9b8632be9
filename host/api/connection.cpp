// SPDX-License-Identifier: Apache-2.0
#include "api/connection.h"

#include <Poco/DateTimeFormat.h>
#include <Poco/Net/HTTPServerRequestImpl.h>
#include <Poco/Net/HTTPServerResponseImpl.h>
#include <Poco/Net/NetException.h>
#include <Poco/Timestamp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <optional>

namespace belfry::api {
namespace {

// What a client may still be sending after it was refused; closing on it would reset the connection and lose the
// answer.
constexpr size_t kDrainBytesMax = 1 << 20;
constexpr int kDrainMs = 1000;

// A longer head is refused by Poco's own limits.
constexpr size_t kHeadPeekMax = 16 * 1024;

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

class PocoRequest final : public HttpRequest {
public:
    // arrived: called once the request is complete.
    PocoRequest(HTTPServerRequestImpl& request, HTTPServerResponseImpl& response, int64_t length,
                std::function<void()> arrived)
        : request_(request), response_(response), length_(length), left_(length), arrived_(std::move(arrived)) {
        if (length == 0) arrived_();
    }

    std::string_view method() const override { return request_.getMethod(); }
    std::string_view target() const override {
        std::string_view target = request_.getURI();
        // The absolute form that proxies use (RFC 9112 3.2.2).
        if (target.substr(0, 7) == "http://") target.remove_prefix(std::min(target.find('/', 7), target.size()));
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
            std::streambuf& buffer = *request_.stream().rdbuf();
            if (buffer.sgetc() == std::streambuf::traits_type::eof()) return at_end();
            const std::streamsize there = std::max<std::streamsize>(buffer.in_avail(), 1);
            const int64_t got = buffer.sgetn(into, std::min(there, static_cast<std::streamsize>(n)));
            if (length_ >= 0 && (left_ -= got) == 0) arrived_();
            return got;
        } catch (const Poco::Exception&) {
            return -1;
        } catch (const std::exception&) {
            return -1;
        }
    }

private:
    int64_t at_end() {
        if (length_ >= 0) return -1;
        arrived_();
        return 0;
    }

    HTTPServerRequestImpl& request_;
    HTTPServerResponseImpl& response_;
    const int64_t length_;
    int64_t left_;
    const std::function<void()> arrived_;
    bool started_ = false;
};

void write(HTTPServerResponseImpl& out, const HttpResponse& response) {
    out.setStatusAndReason(static_cast<HTTPResponse::HTTPStatus>(response.status));
    if (!response.content_type.empty()) out.setContentType(response.content_type);
    for (const auto& [name, value] : response.headers) out.set(name, value);
    out.sendBuffer(response.body.data(), response.body.size());
}

}  // namespace

Connection::Connection(const Poco::Net::StreamSocket& socket, const ConnectionLimits& limits, const Clock& clock)
    : limits_(limits),
      clock_(clock),
      fd_(socket.impl()->sockfd()),
      params_(session_params(limits)),
      session_(socket, params_) {
    session_.socket().setSendTimeout(Poco::Timespan(limits.request_timeout.count(), 0));
}

void Connection::cut() noexcept {
    ::shutdown(fd_, SHUT_RDWR);
}

Connection::Arrived Connection::arrived() const noexcept {
    std::array<char, kHeadPeekMax> bytes;
    const ssize_t n = ::recv(fd_, bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN || errno == EINTR ? Arrived::Nothing : Arrived::Whole;
    if (n == 0 || static_cast<size_t>(n) == bytes.size()) return Arrived::Whole;
    const std::string_view head(bytes.data(), static_cast<size_t>(n));
    const bool a_method = head.front() >= 'A' && head.front() <= 'Z';
    if (!a_method || head.find("\r\n\r\n") != std::string_view::npos) return Arrived::Whole;
    return head.find("\n\n") != std::string_view::npos ? Arrived::Whole : Arrived::Part;
}

void Connection::start_clock() noexcept {
    deadline_.store(clock_.mono_ns() + std::chrono::nanoseconds(limits_.request_timeout).count(),
                    std::memory_order_relaxed);
}

void Connection::drain() noexcept {
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

Connection::Next Connection::serve(HttpApi& api, bool last) {
    Next next = Next::Close;
    try {
        next = exchange(api, last);
    } catch (const Poco::Net::NoMessageException&) {
        // The client closed an idle connection.
    } catch (const Poco::Net::MessageException&) {
        session_.setKeepAlive(false);
        try {
            HTTPServerResponseImpl response(session_);
            response.setKeepAlive(false);
            HttpResponse refused;
            refused.status = 400;
            refused.content_type = "text/plain; charset=utf-8";
            refused.body = "Bad Request\n";
            write(response, refused);
            refused_unread_ = true;
        } catch (const std::exception&) {
            // Nobody is listening.
        }
    } catch (const std::exception&) {
        // The connection broke or was too slow: there is nobody to tell.
    }
    stop_clock();
    // Only now has the answer left: Poco sends it when the response object ends.
    if (refused_unread_) drain();
    return next;
}

Connection::Next Connection::exchange(HttpApi& api, bool last) {
    start_clock();
    HTTPServerResponseImpl response(session_);
    HTTPServerRequestImpl request(response, session_, params_.get());
    const std::string& version = request.getVersion();
    const std::optional<int64_t> length = body_length(request);
    if (!length || (version != HTTPMessage::HTTP_1_1 && version != HTTPMessage::HTTP_1_0))
        throw Poco::Net::MessageException("headers");
    response.setDate(Poco::Timestamp());
    response.setVersion(version);
    PocoRequest asked(request, response, *length, [this] { stop_clock(); });
    const HttpResponse answer = api.handle(asked);
    if (answer.broken) return Next::Close;
    const bool keep = !answer.close && !last && request.getKeepAlive();
    response.setKeepAlive(keep);
    start_clock();
    write(response, answer);
    refused_unread_ = answer.close;
    if (!keep) return Next::Close;
    return session_.buffered() > 0 ? Next::Again : Next::Wait;
}

}  // namespace belfry::api
