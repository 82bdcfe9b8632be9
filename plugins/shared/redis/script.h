// SPDX-License-Identifier: Apache-2.0
// A Lua script as the server knows it: by the hash of its text.
//
// Threads: [any]; immutable.
#pragma once

#include <string>

namespace belfry::redis {

class Script {
public:
    explicit Script(std::string text);
    const std::string& text() const noexcept { return text_; }
    // For EVALSHA.
    const std::string& hash() const noexcept { return hash_; }

private:
    std::string text_, hash_;
};

}  // namespace belfry::redis
