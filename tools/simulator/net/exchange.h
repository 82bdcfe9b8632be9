// SPDX-License-Identifier: Apache-2.0
// One HTTP exchange as the simulated services see it: the request, the answer, and what the wire does to it.
//
// Threads: plain values, no sharing.
// Not here: framing (h2_session, h1_session), what the answer says (fcm/, control_api).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace belfry::simulator {

struct Header {
    std::string name;  // lower case
    std::string value;
};

struct Request {
    std::string method;
    std::string path;   // without the query
    std::string query;  // without the '?'
    std::string authority;
    std::vector<Header> headers;
    std::string body;
    bool http2 = false;
    std::uint64_t connection = 0;
    std::int32_t stream = 0;  // HTTP/2 stream id; on HTTP/1.1 the ordinal of the request on its connection

    // Empty when the header is absent.
    [[nodiscard]] std::string_view header(std::string_view name) const;
};

struct Reply {
    int status = 200;
    std::vector<Header> headers;
    std::string body;
};

enum class WireAction : std::uint8_t {
    Answer,
    ResetStream,  // HTTP/1.1 has no streams: the connection is reset
    ResetTcp,
    BlackHole,  // this exchange is never answered
    HalfOpen,   // the whole connection falls silent, the socket stays open
    Goaway,
    CutAnswer,  // half of the body, then the stream (HTTP/1.1: the connection) is reset
};

// Which id a GOAWAY names as the last stream that was or will be processed.
enum class LastStream : std::uint8_t {
    This,      // the triggering request is processed and answered
    Before,    // the triggering request was not processed
    Max,       // 2^31-1: a shutdown notice that refuses nothing yet
    Absolute,  // the number given; may be a lie on purpose
};

struct Plan {
    Reply reply;
    WireAction action = WireAction::Answer;
    std::uint32_t error_code = 0;  // of RST_STREAM and GOAWAY, RFC 9113 section 7
    std::string debug{};           // GOAWAY debug data
    LastStream last_stream = LastStream::This;
    std::int32_t last_stream_id = 0;  // with LastStream::Absolute
    bool close_after_goaway = false;
    std::chrono::milliseconds before_headers{0};
    std::chrono::milliseconds before_body{0};
    bool wire_settings_changed = false;  // for this connection, by this exchange
};

}  // namespace belfry::simulator
