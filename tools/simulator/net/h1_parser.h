// SPDX-License-Identifier: Apache-2.0
// An incremental parser of HTTP/1.1 requests (RFC 9112): content-length and chunked bodies, keep-alive, pipelining.
//
// Threads: one at a time.  Owner: H1Session.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/exchange.h"

namespace belfry::simulator {

class H1Parser {
public:
    enum class State : std::uint8_t { Head, Body, ChunkSize, ChunkData, ChunkEnd, Trailer, Complete, Failed };

    void feed(std::string_view bytes) { buffer_.append(bytes); }
    // Moves on as far as the bytes reach.
    State advance();
    // The finished request; the parser goes on with the next one.
    Request take();

    [[nodiscard]] int error_status() const { return error_status_; }
    [[nodiscard]] bool keep_alive() const { return keep_alive_; }
    // The client waits for "100 Continue" before it sends the body; asked once.
    bool take_expectation();

private:
    bool step();
    bool parse_head();
    bool parse_request_line(std::string_view line);
    bool parse_header_line(std::string_view line);
    bool begin_body();
    bool take_line(std::string& line);
    bool take_bytes(State next);
    bool parse_chunk_size();
    bool fail(int status);

    State state_ = State::Head;
    std::string buffer_;
    Request request_;
    std::size_t wanted_ = 0;  // bytes of the body or chunk still missing
    std::size_t head_bytes_ = 0;
    int error_status_ = 400;
    bool keep_alive_ = true;
    bool expects_continue_ = false;
};

}  // namespace belfry::simulator
