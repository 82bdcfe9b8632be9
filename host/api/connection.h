// SPDX-License-Identifier: Apache-2.0
// One client connection: collects the bytes of a request, has it handled, writes the answer.
//
//     proceed() until a whole request is there -> serve() -> proceed() ...   What the client does not take of an answer
//     at once is kept, and sent by proceed() when there is room: no thread waits for a client that does not read. A
//     refused client that still sends is drained before its connection is closed: a reset would take the answer with
//     it.
//
// Life: Front makes it; it is idle (in the epoll set) or busy (one worker serves it, or its answer is awaited without
// one); Front destroys it.
// With TLS the handshake is served like a request, a step at a time.
// Threads: one at a time, the poller's while it idles, its worker's while it is busy; deadline_mono_ns() and cut() are
// [any].
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/answer_text.h"
#include "api/client_socket.h"
#include "api/head_reader.h"
#include "api/http_api.h"
#include "api/request_clock.h"
#include "api/socket_request.h"
#include "base/clock.h"

namespace belfry::api {

// A refused client is listened to for so long.
inline constexpr int64_t kDrainMs = 1000;

struct ConnectionLimits {
    std::chrono::seconds request_timeout{30};  // for a whole request to arrive, and for a whole answer to leave
};

class Connection {
public:
    // Takes over `fd`. With a context the client must speak TLS.
    Connection(int fd, const TlsContext& tls, const ConnectionLimits& limits, const Clock& clock);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    enum class Arrived : uint8_t {
        Nothing,
        Part,   // the beginning of a request: of its head, or of a body that is not long
        Whole,  // all of it, or as much as is waited for, or what never becomes one, or the end: a worker is needed
        Over    // nothing is expected any more: close it
    };
    // Sends what is left of an answer; once that has left, takes in what has come. Never waits.
    Arrived proceed() noexcept;

    enum class Next : uint8_t {
        Again,  // more has come already
        Wait,   // for the rest of a request, or for room to send the rest of the answer
        Later,  // the answer is not there yet: see when_there
        Close
    };
    // Serves a request after proceed() said Whole, or goes on with the answer that has come. With `last` the client is
    // told that the connection ends.
    Next serve(HttpApi& api, bool last);
    // After Later: `there` is called once, now or by the thread that brings the answer; from then on the connection is
    // whose serve() comes first.
    void when_there(std::function<void()> there);

    int fd() const noexcept { return socket_.fd(); }
    // When the request that is being read or answered is over its time; 0 = nothing runs against a clock.
    int64_t deadline_mono_ns() const noexcept { return deadline_.load(std::memory_order_relaxed); }
    // Ends whatever a worker waits for on this socket.
    void cut() noexcept { socket_.cut(); }

    // The client has to prove first that it speaks TLS; its time for that began when it connected.
    bool shakes_hands() const noexcept { return socket_.tls() != nullptr && !socket_.tls()->is_ready() && !drains_; }
    // The beginning of a request is there.
    bool has_begun() const noexcept { return begin_ < in_.size(); }
    // It was refused and told so; what it still sends is thrown away.
    bool drains() const noexcept { return drains_; }
    // Some of an answer is still to be sent.
    bool sends() const noexcept { return !rest_.empty(); }
    // Memory that it takes while it waits, beyond what everyone may.
    size_t held_bytes() const noexcept;

    // The kernel says that the client sends nothing more: what it sent is followed by the end.
    std::atomic<bool> end_announced{false};

    // Front's bookkeeping, under its lock.
    bool busy = false;
    bool missed = false;  // something came while it was busy
    int64_t idle_since_mono_ns = 0;
    int64_t began_mono_ns = 0;  // when the first part of a request came; 0 = nothing came yet
    size_t held = 0;            // of held_bytes(), what has been counted

private:
    std::string_view received() const noexcept { return std::string_view(in_).substr(begin_); }
    enum class Then : uint8_t { Keep, Drain, Close };  // when the answer has left
    Arrived receive();
    Arrived judged();
    Arrived drain() noexcept;
    Next shake_hands();
    // A request that is being answered.
    struct Exchange {
        explicit Exchange(Connection& of);
        RequestClock clock;
        SocketRequest request;
        std::shared_ptr<LateAnswer> late;
    };
    Next exchange(HttpApi& api, bool last);
    Next conclude(HttpResponse answer, bool last);
    Next refuse(int status, std::string_view why);
    Next end_after_refusal();
    Next write(HttpResponse&& answer, const AnswerLine& line, bool bodiless);
    Next send_rest();
    bool write_stream(const HttpResponse& answer, const AnswerLine& line);
    Next end_of_answer();
    void forget_request(size_t used, const std::string& surplus);

    const ConnectionLimits limits_;
    const Clock& clock_;
    ClientSocket socket_;
    std::string in_;    // what has come and is not yet used, from begin_ on
    size_t begin_ = 0;  // of the request
    HeadReader head_;   // of the request
    std::optional<Exchange> exchange_;
    bool ended_ = false;          // the client sends nothing more
    bool may_hold_more_ = false;  // the socket, though nothing new makes it readable
    std::string rest_;            // of an answer; from rest_sent_ on it is still to be sent
    size_t rest_sent_ = 0;
    Then then_ = Then::Close;
    bool drains_ = false;
    size_t drained_ = 0;
    std::atomic<int64_t> deadline_{0};
};

}  // namespace belfry::api
