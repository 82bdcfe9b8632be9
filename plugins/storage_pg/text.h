// SPDX-License-Identifier: Apache-2.0
// What a text column takes.
//
// Threads: [any]; pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace belfry::storage_pg {

// A text that the server would refuse with the whole batch: text columns hold UTF-8 without NUL.
inline bool is_text(std::string_view bytes) {
    for (size_t i = 0; i < bytes.size();) {
        const auto lead = static_cast<unsigned char>(bytes[i]);
        if (lead == 0) return false;
        const size_t n = lead < 0x80 ? 1 : lead >= 0xc2 && lead < 0xe0 ? 2 : (lead & 0xf0U) == 0xe0 ? 3 : 4;
        if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || i + n > bytes.size()) return false;
        for (size_t k = 1; k < n; ++k) {
            if ((static_cast<unsigned char>(bytes[i + k]) & 0xc0U) != 0x80) return false;
        }
        const auto second = n > 2 ? static_cast<unsigned char>(bytes[i + 1]) : 0;
        const bool is_long_form = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
        if (is_long_form || (lead == 0xed && second > 0x9f) || (lead == 0xf4 && second > 0x8f)) return false;
        i += n;
    }
    return true;
}

}  // namespace belfry::storage_pg
