// SPDX-License-Identifier: Apache-2.0
// One client session as bytes in and bytes out: requests and answers on one side, HTTP/2 frames or HTTP/1.1 on the
// other.
//
// Three kinds stand behind this seam: DirectSession writes its own HTTP/2 frames and is what connections use;
// Nghttp2Session is the reference it is compared with, and the way back should a peer not get along with it;
// Http1Session is a session of one stream at a time. Connection knows streams by their slot only, and gives heads and
// bodies when asked. Nothing is submitted from inside a listener call; the caller produces after it has consumed.
// Threads: [loop]. Owner: Connection.  Not here: sockets, TLS, deadlines, retries.
#pragma once

#include <nghttp2/nghttp2.h>

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
    // The first `shared_n` fields, method and authority are the same for all heads with this number. 0: not known.
    uint64_t shared = 0;
    size_t shared_n = 0;
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

class Session {
public:
    static constexpr uint32_t kAssumedStreams =
        100;  // until the peer's SETTINGS came, as browsers and Google's SDKs do

    virtual ~Session() = default;
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    // Opens a stream. Its id, or 0 if the session takes no more (ids used up, peer going away). May ask for the body.
    virtual int32_t open(uint32_t slot, const RequestHead& head) = 0;
    virtual void cancel(int32_t stream) noexcept = 0;  // RST_STREAM(CANCEL); on_end follows while producing
    virtual void ping() noexcept = 0;
    virtual void go_away() noexcept = 0;
    // Appends frames to `out` until nothing is ready or `out` holds `enough` bytes; heads are always written out
    // completely.
    virtual Status produce(Output& out, size_t enough) = 0;
    // After an error only produce() may be called, once: what is left to tell the peer.
    virtual Status consume(std::string_view bytes) = 0;
    // The peer said in order that nothing more comes. An answer that lasts until then is complete now.
    virtual void end_of_input() noexcept {}
    virtual bool has_output() const noexcept = 0;
    virtual bool ended() const noexcept = 0;

protected:
    Session() = default;
};

// What both kinds of session say in their first SETTINGS.
inline constexpr uint32_t kStreamWindow = 1 << 20;        // bytes an answer may send ahead; small ones never wait
inline constexpr uint32_t kConnectionWindow = 16u << 20;  // the same for all streams of a connection together
inline constexpr uint32_t kAnswerHeadMax = 32 * 1024;     // SETTINGS_MAX_HEADER_LIST_SIZE

// Both kinds of HTTP/2 queue the client's preface and SETTINGS at once. `memory` and `listener` outlive the session.
std::unique_ptr<Session> make_direct_session(SessionListener& listener, nghttp2_mem* memory);
std::unique_ptr<Session> make_nghttp2_session(SessionListener& listener, nghttp2_mem* memory);
// HTTP/1.1, keep-alive, never pipelined: allows one stream, and none once the peer wants to end the connection.
std::unique_ptr<Session> make_http1_session(SessionListener& listener);

}  // namespace belfry::http
