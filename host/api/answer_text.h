// SPDX-License-Identifier: Apache-2.0
// Answers as bytes of HTTP/1: heads, and chunks of bodies that are made while they are sent. Threads: [any].
#pragma once

#include <string>
#include <string_view>

#include "api/http_message.h"

namespace belfry::api {

enum class Framing : uint8_t {
    Length,   // Content-Length
    Chunks,   // of unknown length
    UntilEnd  // ends with the connection: HTTP/1.0 has no chunks
};

struct AnswerLine {
    bool http_1_0 = false, keep = false;
    Framing framing = Framing::Length;
};

// Up to the empty line; with room for `body_room` bytes behind it.
std::string answer_head(const HttpResponse& answer, const AnswerLine& line, size_t body_room);
// Appends `piece` as one chunk; an empty one appends nothing, for it would end the body.
void append_chunk(std::string& out, std::string_view piece);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace belfry::api
