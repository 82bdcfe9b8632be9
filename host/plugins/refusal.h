// SPDX-License-Identifier: Apache-2.0
// How a plugin is turned away: one readable line, "file: reason; remedy". Threads: [any].
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace belfry::plugins {

// Texts from a plugin's file or from its code may hold anything; in logs and answers they stay on one line.
inline std::string one_line(std::string text) {
    for (char& c : text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    }
    return text;
}

inline Error refusal(std::string_view file, std::string_view reason, std::string_view remedy) {
    std::string message(reason);
    message += "; ";
    message += remedy;
    return error(ErrorCode::Misconfigured, one_line(std::move(message)), std::string(file));
}

}  // namespace belfry::plugins
