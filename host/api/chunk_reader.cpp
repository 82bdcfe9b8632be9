// SPDX-License-Identifier: Apache-2.0
#include "api/chunk_reader.h"

#include <algorithm>
#include <cstring>

namespace belfry::api {
namespace {

int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

ChunkReader::Step ChunkReader::read(char* bytes, size_t n) noexcept {
    Step step;
    while (step.used < n && at_ != At::End && at_ != At::Broken) {
        if (at_ != At::Data) {
            at_ = after(bytes[step.used++]);
            continue;
        }
        const size_t piece = static_cast<size_t>(std::min<uint64_t>(left_, n - step.used));
        if (step.body != step.used) std::memmove(bytes + step.body, bytes + step.used, piece);
        step.body += piece;
        step.used += piece;
        if ((left_ -= piece) == 0) at_ = At::DataCr;
    }
    return step;
}

ChunkReader::At ChunkReader::after_size(char c) noexcept {
    const int digit = hex_digit(c);
    if (digit >= 0) {
        left_ = left_ * 16 + static_cast<uint64_t>(digit);
        return ++digits_ <= kSizeDigitsMax ? At::Size : At::Broken;
    }
    if (digits_ == 0) return At::Broken;
    line_bytes_ = 0;
    if (c == '\r') return At::SizeLf;
    return c == ';' || c == ' ' || c == '\t' ? At::Extension : At::Broken;
}

// Of an extension or a trailer, which nobody reads.
ChunkReader::At ChunkReader::after_line_byte(char c, At here, At line_end) noexcept {
    if (c == '\r') return line_end;
    const bool text = static_cast<unsigned char>(c) >= ' ' || c == '\t';
    return text && ++line_bytes_ <= kLineBytesMax ? here : At::Broken;
}

ChunkReader::At ChunkReader::after(char c) noexcept {
    switch (at_) {
        case At::Size:
            return after_size(c);
        case At::Extension:
            return after_line_byte(c, At::Extension, At::SizeLf);
        case At::SizeLf:
            digits_ = 0;
            line_bytes_ = 0;
            if (c != '\n') return At::Broken;
            return left_ == 0 ? At::Trailers : At::Data;
        case At::DataCr:
            return c == '\r' ? At::DataLf : At::Broken;
        case At::DataLf:
            return c == '\n' ? At::Size : At::Broken;
        case At::Trailers:
            return after_line_byte(c, At::Trailer, At::LastLf);
        case At::Trailer:
            return after_line_byte(c, At::Trailer, At::TrailerLf);
        case At::TrailerLf:
            return c == '\n' ? At::Trailers : At::Broken;
        case At::LastLf:
            return c == '\n' ? At::End : At::Broken;
        case At::Data:
        case At::End:
        case At::Broken:
            break;
    }
    return At::Broken;
}

}  // namespace belfry::api
