// SPDX-License-Identifier: Apache-2.0
// Whether a text holds only bytes that need no care; eight at a time, because every request's path and token pass here.
// Threads: [any], pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace belfry::http {

// True if every byte is between kLeast and 0x7E and none of `kOthers`.
template <unsigned char kLeast, char... kOthers>
bool plain_bytes(std::string_view text) noexcept {
    constexpr uint64_t kOnes = 0x0101010101010101, kHighs = 0x8080808080808080;
    // The high bit of each byte that is zero, or, with `least`, below it; bytes above 0x7F may count as well.
    const auto below = [](uint64_t word, uint64_t least) { return (word - kOnes * least) & ~word & kHighs; };
    uint64_t bad = 0;
    size_t at = 0;
    for (; at + 8 <= text.size(); at += 8) {
        uint64_t word = 0;
        std::memcpy(&word, text.data() + at, 8);
        bad |= (word & kHighs) | below(word, kLeast) | below(word ^ (kOnes * 0x7F), 1);
        ((bad |= below(word ^ (kOnes * static_cast<unsigned char>(kOthers)), 1)), ...);
    }
    for (; at < text.size(); ++at) {
        const auto byte = static_cast<unsigned char>(text[at]);
        bad |= byte < kLeast || byte >= 0x7F;
        ((bad |= text[at] == kOthers), ...);
    }
    return bad == 0;
}

}  // namespace belfry::http
