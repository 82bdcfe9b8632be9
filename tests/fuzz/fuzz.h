// SPDX-License-Identifier: Apache-2.0
// What fuzzers share: properties that end the process, and input taken apart into numbers and texts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace belfry::fuzz {

inline void require(bool holds, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    if (holds) return;
    std::fprintf(stderr, "%s:%d: a property does not hold\n", file, line);
    std::abort();
}

inline std::string_view text_of(const uint8_t* data, size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

// Reads from the front; beyond the end everything is zero or empty.
class Input {
public:
    Input(const uint8_t* data, size_t size) : rest_(text_of(data, size)) {}
    uint8_t byte() {
        const std::string_view one = text(1);
        return one.empty() ? uint8_t{0} : static_cast<uint8_t>(one.front());
    }
    uint32_t number() {  // two bytes
        const uint32_t high = byte();
        return high << 8 | byte();
    }
    std::string_view text(size_t n) {
        const std::string_view taken = rest_.substr(0, std::min(n, rest_.size()));
        rest_.remove_prefix(taken.size());
        return taken;
    }
    // Up to the separator, which is dropped; all that is left if it does not come.
    std::string_view until(std::string_view separator) {
        const size_t at = std::min(rest_.find(separator), rest_.size());
        const std::string_view taken = rest_.substr(0, at);
        rest_.remove_prefix(std::min(rest_.size(), at + separator.size()));
        return taken;
    }
    std::string_view rest() { return text(rest_.size()); }
    bool empty() const { return rest_.empty(); }

private:
    std::string_view rest_;
};

}  // namespace belfry::fuzz
