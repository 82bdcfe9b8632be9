// SPDX-License-Identifier: Apache-2.0
// One client connection on Poco's HTTP session: reads a request, has it handled, writes the answer.
//
// Life: Front makes it; it is idle (in the epoll set) or busy (one worker serves it); Front destroys it.
// With TLS the handshake is served like a request, a step at a time.
// Threads: serve() on one worker at a time; deadline_mono_ns() and cut() are [any]; arrived() while nobody serves.
#pragma once

#include <Poco/Net/HTTPServerParams.h>
#include <Poco/Net/HTTPServerResponse.h>
#include <Poco/Net/HTTPServerSession.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/StreamSocket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <cstdint>
#include <string>
#include <string_view>

#include "api/http_api.h"
#include "api/tls_socket.h"
#include "base/clock.h"

namespace belfry::api {

struct ConnectionLimits {
    std::chrono::seconds request_timeout{30};  // for a whole request to arrive, and for a whole answer to leave
};

class Connection {
public:
    // Takes over `fd`. With a context the client must speak TLS.
    Connection(int fd, const TlsContext& tls, const ConnectionLimits& limits, const Clock& clock);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    enum class Next : uint8_t {
        Again,  // more is already in the session's buffer
        Wait,   // keep alive, nothing there yet
        Close
    };
    // Serves one request that has begun to arrive. With `last` the client is told that the connection ends.
    Next serve(HttpApi& api, bool last);

    int fd() const noexcept { return fd_; }
    // When the request that is being read or answered is over its time; 0 = nothing runs against a clock.
    int64_t deadline_mono_ns() const noexcept { return deadline_.load(std::memory_order_relaxed); }
    // Ends whatever a worker waits for on this socket.
    void cut() noexcept;

    enum class Arrived : uint8_t {
        Nothing,
        Part,  // the beginning of a request: of its head, or of a body that is not long
        Whole  // all of it, or as much as is waited for, or what never becomes one, or the end: a worker is needed
    };
    Arrived arrived() noexcept;
    // The client has to prove first that it speaks TLS; its time for that began when it connected.
    bool shakes_hands() const noexcept { return tls_ != nullptr && !tls_->is_ready(); }
    // The beginning of a request was read already. While nobody serves.
    bool has_begun() const noexcept { return tls_ != nullptr && !tls_->ahead().empty(); }

    // Front's bookkeeping, under its lock.
    bool busy = false;
    int64_t idle_since_mono_ns = 0;
    int64_t began_mono_ns = 0;  // when the first part of a request came; 0 = nothing came yet

private:
    // Poco keeps what it has read ahead to itself.
    class Session final : public Poco::Net::HTTPServerSession {
    public:
        using HTTPServerSession::HTTPServerSession;
        using HTTPSession::buffered;
        // How much of it has left, at least a byte. Throws what Poco throws.
        size_t write(std::string_view bytes) {
            const auto most = static_cast<std::streamsize>(std::min<size_t>(bytes.size(), INT_MAX));
            const int n = HTTPSession::write(bytes.data(), most);
            if (n <= 0) throw Poco::Net::ConnectionResetException();
            return static_cast<size_t>(n);
        }
    };
    Next exchange(HttpApi& api, bool last);
    bool begins_with_tls();
    Next shake_hands();
    static Arrived judged(std::string_view there) noexcept;
    void drain() noexcept;
    void write(const HttpResponse& answer, const std::string& version, bool keep, bool without_body);
    bool send_stream(Poco::Net::HTTPServerResponse& response, const HttpResponse& answer, bool chunked);
    void stop_clock() noexcept { deadline_.store(0, std::memory_order_relaxed); }

    const ConnectionLimits limits_;
    const Clock& clock_;
    const int fd_;
    TlsSocket* const tls_;  // the session's socket; null: plain
    Poco::Net::HTTPServerParams::Ptr params_;
    Session session_;
    std::atomic<int64_t> deadline_{0};
    bool refused_unread_ = false;  // the answer went out before the request was read to its end
};

}  // namespace belfry::api
