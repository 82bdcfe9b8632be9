// SPDX-License-Identifier: Apache-2.0
// Reads the head of a request as its bytes arrive, with http_parser, and refuses what could mean two things to two
// readers (RFC 9112 6.3, 11.2): a length told twice, folded lines, spaces in names, a coding other than chunked.
//
// Threads: one at a time. Owner: Connection. Not here: bodies, bytes' memory, routes.
#pragma once

#include <http_parser.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace belfry::api {

inline constexpr size_t kHeadBytesMax = 32 * 1024;
inline constexpr size_t kHeadFieldsMax = 100;
inline constexpr int64_t kChunked = -1;

class HeadReader {
public:
    HeadReader() { reset(); }
    HeadReader(const HeadReader&) = delete;
    HeadReader& operator=(const HeadReader&) = delete;

    enum class State : uint8_t { Reading, Complete, Refused };
    // `bytes`: what the client has sent from the beginning of this request on. Called again with more, the earlier
    // bytes unchanged, though perhaps elsewhere in memory.
    State read(std::string_view bytes);
    // For the next request.
    void reset() noexcept;

    // Nothing was read of the request yet.
    bool is_untouched() const noexcept { return parsed_ == 0 && state_ == State::Reading; }
    bool is_complete() const noexcept { return state_ == State::Complete; }

    // Refused: the status to answer with, and what is wrong.
    int refusal() const noexcept { return refusal_; }
    const char* why() const noexcept { return why_; }

    // Complete; `bytes` as given to read().
    size_t size() const noexcept { return size_; }
    std::string_view method() const noexcept { return http_method_str(static_cast<http_method>(parser_.method)); }
    std::string_view target(std::string_view bytes) const noexcept { return target_.of(bytes); }
    // The first field of this name; empty: there is none.
    std::string_view field(std::string_view bytes, std::string_view name) const noexcept;
    bool is_http_1_0() const noexcept { return parser_.http_minor == 0; }
    bool keeps_alive() const noexcept { return keeps_alive_; }
    // Bytes of the body, or kChunked.
    int64_t body_length() const noexcept { return body_length_; }

private:
    struct Span {
        uint32_t at = 0, size = 0;
        std::string_view of(std::string_view bytes) const noexcept { return bytes.substr(at, size); }
    };
    struct Field {
        Span name, value;
    };
    static const http_parser_settings& callbacks();
    void extend(Span& span, const char* at, size_t n) const noexcept;
    int take_name(const char* at, size_t n);
    int take_value(const char* at, size_t n);
    int refuse(int status, const char* why) noexcept;
    void judge(std::string_view bytes) noexcept;
    bool judge_lines(std::string_view bytes) noexcept;
    bool judge_length(std::string_view bytes) noexcept;

    http_parser parser_{};
    State state_ = State::Reading;
    bool in_value_ = false, keeps_alive_ = false;
    int refusal_ = 0;
    const char* why_ = "";
    const char* base_ = nullptr;  // of the bytes that are being read
    size_t parsed_ = 0, size_ = 0;
    int64_t body_length_ = 0;
    Span target_;
    std::vector<Field> fields_;  // its memory serves the next request
};

}  // namespace belfry::api
