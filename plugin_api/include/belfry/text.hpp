// SPDX-License-Identifier: Apache-2.0
// Texts as providers meet them: character sets, base64url, forms, and what strangers wrote.
// Header-only, C++17. Threads: [any].
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace belfry {

inline bool starts_with(std::string_view text, std::string_view with) noexcept {
    return text.substr(0, with.size()) == with;
}
inline bool ends_with(std::string_view text, std::string_view with) noexcept {
    return text.size() >= with.size() && text.substr(text.size() - with.size()) == with;
}

// ASCII only, whatever the locale.
inline bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}
inline bool is_letter(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
inline bool is_digits(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}
// Letters, digits and the characters of `more`; not empty.
inline bool is_word(std::string_view text, std::string_view more = {}) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return is_letter(c) || is_digit(c) || more.find(c) != std::string_view::npos;
    });
}
// ASCII without blanks and control characters; not empty. Fit for a header's value.
inline bool is_visible(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F; });
}
// Decimal digits, perhaps behind a minus; nothing if it is anything else or has more than 18 of them.
inline std::optional<int64_t> whole_number(std::string_view text) noexcept {
    const bool negative = starts_with(text, "-");
    if (negative) text.remove_prefix(1);
    if (!is_digits(text) || text.size() > 18) return std::nullopt;
    int64_t number = 0;
    for (const char digit : text) number = number * 10 + (digit - '0');
    return negative ? -number : number;
}
inline std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    }
    return out;
}

// What a stranger wrote, safe for logs and reasons: printable ASCII, one line, cut.
inline std::string printable(std::string_view text, size_t bytes_max) {
    std::string out;
    for (const char c : text.substr(0, bytes_max)) out.push_back(c >= 0x20 && c < 0x7F ? c : ' ');
    out.resize(out.find_last_not_of(' ') + 1);
    return out;
}

// A value of application/x-www-form-urlencoded (WHATWG URL).
inline std::string form_encoded(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (is_word({&c, 1}, "-._~")) {
            out.push_back(c);
        } else {
            out.append({'%', kDigits[byte >> 4], kDigits[byte & 15U]});
        }
    }
    return out;
}

// RFC 4648, section 5: url-safe, without padding.
inline std::string base64url(std::string_view bytes) {
    constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string text;
    uint32_t bits = 0;
    int held = 0;
    for (const char c : bytes) {
        bits = bits << 8 | static_cast<unsigned char>(c);
        for (held += 8; held >= 6; held -= 6) text.push_back(kAlphabet[bits >> (held - 6) & 63]);
    }
    if (held > 0) text.push_back(kAlphabet[bits << (6 - held) & 63]);
    return text;
}

// Sections 4 and 5, with or without padding. Nothing for other characters, an impossible length, or bits behind the end
// that are not zero.
inline std::optional<std::string> from_base64(std::string_view text) {
    constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    while (ends_with(text, "=")) text.remove_suffix(1);
    if (text.size() % 4 == 1) return std::nullopt;
    std::string bytes;
    uint32_t bits = 0;
    int held = 0;
    for (const char c : text) {
        const size_t value = c == '+' ? 62 : c == '/' ? 63 : kAlphabet.find(c);
        if (value == std::string_view::npos) return std::nullopt;
        bits = bits << 6 | static_cast<uint32_t>(value);
        if ((held += 6) < 8) continue;
        held -= 8;
        bytes.push_back(static_cast<char>(bits >> held & 255));
    }
    if ((bits & ((1u << held) - 1)) != 0) return std::nullopt;
    return bytes;
}

}  // namespace belfry
