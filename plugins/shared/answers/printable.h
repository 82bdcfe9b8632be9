// SPDX-License-Identifier: Apache-2.0
// What a stranger wrote, safe for logs and answers: printable ASCII, one line, cut.
#pragma once

#include <string>
#include <string_view>

namespace answers {

inline std::string printable(std::string_view text, size_t bytes_max) {
    std::string out;
    for (const char c : text.substr(0, bytes_max)) out.push_back(c >= 0x20 && c < 0x7F ? c : ' ');
    while (out.ends_with(' ')) out.pop_back();
    return out;
}

}  // namespace answers
