// SPDX-License-Identifier: Apache-2.0
// One HTTP/2 client session as bytes in and bytes out: requests and answers on one side, frames on the other.
//
// This is the seam behind which nghttp2 stays: Connection knows streams by their slot only, and gives heads and bodies
// when asked. Nothing is submitted from inside a listener call; the caller produces after it has consumed. Threads:
// [loop].  Owner: Connection.  Not here: sockets, TLS, deadlines, retries.
#pragma once

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/handles.h"
#include "base/result.h"
#include "http/output.h"

namespace belfry::http {

struct HeadField {
    std::string_view name, value;
    bool varies = false;       // differs from request to request: not worth a place in the peer's table
    bool never_index = false;  // secret: not to be indexed by anyone
};

// Views that stay valid until the next produce() returned.
struct RequestHead {
    static constexpr size_t kFieldsMax = 64;
    std::string_view method, authority, path;
    std::span<const HeadField> fields;
    uint64_t body_bytes = 0;
};

// How a stream ended.
enum class StreamEnd : uint8_t {
    Complete,  // the peer ended it in order
    Refused,   // certainly not processed: REFUSED_STREAM, or above a GOAWAY's last stream
    Reset      // anything else
};

class SessionListener {
public:
    virtual void on_status(uint32_t slot, int status) noexcept = 0;  // final ones only
    virtual void on_field(uint32_t slot, std::string_view name, std::string_view value) noexcept = 0;
    virtual void on_body(uint32_t slot, std::string_view bytes) noexcept = 0;
    virtual void on_end(uint32_t slot, StreamEnd end, uint32_t error_code) noexcept = 0;  // the slot is free afterwards
    virtual void on_peer_settings(uint32_t streams_max) noexcept = 0;
    virtual void on_goaway(int32_t last_stream, uint32_t error_code, std::string_view debug) noexcept = 0;
    virtual void on_pong() noexcept = 0;
    // Writes bytes [from, from + n) of the request's body, which has `size`. False: there is no such request any more.
    virtual bool write_body(uint32_t slot, uint64_t size, uint64_t from, size_t n, char* out) noexcept = 0;

protected:
    ~SessionListener() = default;
};

class H2Session {
public:
    static constexpr uint32_t kAssumedStreams =
        100;  // until the peer's SETTINGS came, as browsers and Google's SDKs do

    // Queues the client's preface and SETTINGS. `memory` and `listener` outlive the session.
    static Result<std::unique_ptr<H2Session>> create(SessionListener& listener, nghttp2_mem* memory);
    ~H2Session() = default;
    H2Session(const H2Session&) = delete;
    H2Session& operator=(const H2Session&) = delete;

    // Opens a stream. Its id, or 0 if the session takes no more (ids used up, peer going away).
    int32_t open(uint32_t slot, const RequestHead& head);
    void cancel(int32_t stream) noexcept;  // RST_STREAM(CANCEL); on_end follows
    void ping() noexcept;
    void go_away() noexcept;
    // Appends frames to `out` until nothing is ready or `out` holds `enough` bytes; heads are always written out
    // completely.
    Status produce(Output& out, size_t enough);
    Status consume(std::string_view bytes);
    bool has_output() const noexcept { return nghttp2_session_want_write(session_.get()) != 0; }
    bool ended() const noexcept { return !has_output() && nghttp2_session_want_read(session_.get()) == 0; }

private:
    struct Body {
        uint64_t sent = 0, size = 0;
        bool answered = false;  // the peer's side has ended in order
    };
    struct Callbacks;
    explicit H2Session(SessionListener& listener) : listener_(listener) {}
    void answer_complete(int32_t stream);

    SessionListener& listener_;
    std::unique_ptr<nghttp2_session, FreeWith<nghttp2_session_del>> session_;
    std::array<nghttp2_nv, RequestHead::kFieldsMax + 4> fields_;  // scratch of open
    std::vector<Body> bodies_;                                    // by slot
    std::vector<int32_t> half_open_;  // answered before the request's body was sent: to be reset
    Output* out_ = nullptr;           // while producing: where frames go,
    size_t enough_ = 0;               // and how many bytes are enough for now
};

}  // namespace belfry::http
