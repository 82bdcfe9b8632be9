// SPDX-License-Identifier: Apache-2.0
// Bytes of JSON text: classes, UTF-8 sequences, and the fast way over the uninteresting part of strings.
// Not here: anything for other folders; this is shared by json.cpp and json_check.cpp only.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace belfry::json {

inline bool is_space(char c) noexcept {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}
inline bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

// Value of a hexadecimal digit, or 16.
inline uint32_t hex_value(char c) noexcept {
    if (is_digit(c)) return static_cast<uint32_t>(c - '0');
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? static_cast<uint32_t>(lower - 'a' + 10) : 16;
}

// Printable ASCII that means itself inside a string.
inline bool is_ordinary(char c) noexcept {
    return c >= 0x20 && c != '"' && c != '\\' && static_cast<unsigned char>(c) < 0x80;
}

// Eight bytes at a time over ordinary ones; stops at a quote, backslash, control character, non-ASCII byte, or the end.
inline const char* skip_ordinary(const char* p, const char* end) noexcept {
    constexpr uint64_t kOnes = 0x0101010101010101U, kHighs = 0x8080808080808080U;
    while (end - p >= 8) {
        uint64_t word = 0;
        std::memcpy(&word, p, 8);
        const uint64_t quote = word ^ (kOnes * '"'), slash = word ^ (kOnes * '\\');
        // A byte's high bit is set where it is < 0x20, a quote or a backslash (zero after xor), or not ASCII; borrows
        // can only mark bytes behind a marked one.
        const uint64_t marks = ((word - kOnes * 0x20) | (quote - kOnes) | (slash - kOnes) | word) & kHighs;
        if (marks != 0) {
            if constexpr (std::endian::native == std::endian::little) return p + (std::countr_zero(marks) >> 3);
            break;
        }
        p += 8;
    }
    while (p != end && is_ordinary(*p)) ++p;
    return p;
}

// Length of the well-formed UTF-8 sequence at p (Unicode 15, table 3-7), or 0.
inline size_t utf8_sequence(const char* p, const char* end) noexcept {
    const auto at = [p](size_t i) { return static_cast<unsigned char>(p[i]); };
    const auto tail = [&](size_t i) { return (at(i) & 0xC0) == 0x80; };
    const auto left = static_cast<size_t>(end - p);
    const unsigned char lead = at(0);
    if (lead < 0x80) return 1;
    if (lead < 0xC2 || lead > 0xF4) return 0;
    if (lead < 0xE0) return left >= 2 && tail(1) ? 2 : 0;
    if (lead < 0xF0) {
        if (left < 3 || !tail(1) || !tail(2)) return 0;
        const bool overlong = lead == 0xE0 && at(1) < 0xA0;
        const bool surrogate = lead == 0xED && at(1) >= 0xA0;
        return overlong || surrogate ? 0 : 3;
    }
    if (left < 4 || !tail(1) || !tail(2) || !tail(3)) return 0;
    const bool overlong = lead == 0xF0 && at(1) < 0x90;
    const bool beyond = lead == 0xF4 && at(1) >= 0x90;
    return overlong || beyond ? 0 : 4;
}

inline std::string_view encode_utf8(uint32_t code, char (&buf)[4]) noexcept {
    const auto tail = [](uint32_t bits) { return static_cast<char>(0x80 | (bits & 0x3F)); };
    if (code < 0x80) {
        buf[0] = static_cast<char>(code);
        return {buf, 1};
    }
    if (code < 0x800) {
        buf[0] = static_cast<char>(0xC0 | code >> 6);
        buf[1] = tail(code);
        return {buf, 2};
    }
    if (code < 0x10000) {
        buf[0] = static_cast<char>(0xE0 | code >> 12);
        buf[1] = tail(code >> 6);
        buf[2] = tail(code);
        return {buf, 3};
    }
    buf[0] = static_cast<char>(0xF0 | code >> 18);
    buf[1] = tail(code >> 12);
    buf[2] = tail(code >> 6);
    buf[3] = tail(code);
    return {buf, 4};
}

}  // namespace belfry::json
