// SPDX-License-Identifier: Apache-2.0
// Takes the chunks of a body apart (RFC 9112 7.1), in place. Stricter than http_parser as Debian builds it, which takes
// any two bytes for the end of a chunk: lines end in CR LF, sizes are hexadecimal digits, trailers are dropped.
//
// Threads: one at a time. Owner: RequestBody.
#pragma once

#include <cstddef>
#include <cstdint>

namespace belfry::api {

class ChunkReader {
public:
    static constexpr int kSizeDigitsMax = 15;
    static constexpr size_t kLineBytesMax = 8 * 1024;  // of a chunk's extensions, and of all trailers

    struct Step {
        size_t body = 0;  // bytes of the body, moved to the front of what was given
        size_t used = 0;  // of what was given; less than all only at the end, or at a fault
    };
    Step read(char* bytes, size_t n) noexcept;
    bool at_end() const noexcept { return at_ == At::End; }
    bool is_broken() const noexcept { return at_ == At::Broken; }

private:
    enum class At : uint8_t {
        Size,
        Extension,
        SizeLf,
        Data,
        DataCr,
        DataLf,
        Trailers,
        Trailer,
        TrailerLf,
        LastLf,
        End,
        Broken
    };
    At after_size(char c) noexcept;
    At after_line_byte(char c, At here, At line_end) noexcept;
    At after(char c) noexcept;

    At at_ = At::Size;
    int digits_ = 0;
    uint64_t left_ = 0;  // of the chunk
    size_t line_bytes_ = 0;
};

}  // namespace belfry::api
