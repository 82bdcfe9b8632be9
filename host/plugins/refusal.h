// SPDX-License-Identifier: Apache-2.0
// How a plugin is turned away: one readable line, "file: reason; remedy". Threads: [any].
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace belfry::plugins {

inline Error refusal(std::string_view file, std::string_view reason, std::string_view remedy) {
    std::string message(reason);
    message += "; ";
    message += remedy;
    return error(ErrorCode::Misconfigured, std::move(message), std::string(file));
}

}  // namespace belfry::plugins
