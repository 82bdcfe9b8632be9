// SPDX-License-Identifier: Apache-2.0
// HTTP/2 frames as bytes (RFC 9113 section 4 and 6). Threads: [any], values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/output.h"

namespace belfry::http {

inline constexpr size_t kFrameHeadBytes = 9;
inline constexpr uint32_t kDefaultFrame = 16'384;   // SETTINGS_MAX_FRAME_SIZE, ours always
inline constexpr uint32_t kDefaultWindow = 65'535;  // SETTINGS_INITIAL_WINDOW_SIZE until it is said otherwise
inline constexpr int64_t kWindowMax = INT32_MAX;

enum class Frame : uint8_t {
    Data = 0,
    Headers = 1,
    Priority = 2,
    Reset = 3,
    Settings = 4,
    PushPromise = 5,
    Ping = 6,
    GoAway = 7,
    Window = 8,
    Continuation = 9
};

inline constexpr uint8_t kEndStream = 1, kAck = 1, kEndHeaders = 4, kPadded = 8, kPrioritised = 32;

struct FrameHead {
    uint32_t length = 0;
    uint8_t type = 0, flags = 0;
    int32_t stream = 0;
    bool is(Frame frame) const noexcept { return type == static_cast<uint8_t>(frame); }
    bool has(uint8_t flag) const noexcept { return (flags & flag) != 0; }
};

inline uint32_t read_number(const char* at, size_t bytes) noexcept {
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; ++i) value = value << 8 | static_cast<unsigned char>(at[i]);
    return value;
}

inline char* write_number(uint32_t value, size_t bytes, char* at) noexcept {
    for (size_t i = bytes; i-- > 0;) *at++ = static_cast<char>(value >> (8 * i));
    return at;
}

inline FrameHead read_frame_head(const char* at) noexcept {
    return {read_number(at, 3), static_cast<uint8_t>(at[3]), static_cast<uint8_t>(at[4]),
            static_cast<int32_t>(read_number(at + 5, 4) & 0x7fffffff)};
}

inline char* write_frame_head(size_t length, Frame type, uint8_t flags, int32_t stream, char* at) noexcept {
    at = write_number(static_cast<uint32_t>(length), 3, at);
    *at++ = static_cast<char>(type);
    *at++ = static_cast<char>(flags);
    return write_number(static_cast<uint32_t>(stream), 4, at);
}

// A frame whose payload is known; returns how many bytes it is.
inline size_t append_frame(Frame type, uint8_t flags, int32_t stream, std::string_view payload, Output& out) {
    write_frame_head(payload.size(), type, flags, stream, out.extend(kFrameHeadBytes));
    out.append(payload);
    return kFrameHeadBytes + payload.size();
}

// RST_STREAM and WINDOW_UPDATE: a number.
inline void append_number_frame(Frame type, int32_t stream, uint32_t number, Output& out) {
    char bytes[4];
    write_number(number, 4, bytes);
    append_frame(type, 0, stream, {bytes, sizeof bytes}, out);
}

}  // namespace belfry::http
