// SPDX-License-Identifier: Apache-2.0
#include "delivery/sample_line.h"

#include <cstdio>

#include "delivery/ledger.h"

namespace belfry::delivery {

namespace {

// Escapes `value` for the inside of a JSON string, at most `bytes_max` bytes; never cuts inside a UTF-8 character or
// escape.
void append_json(std::string& out, std::string_view value, size_t bytes_max) {
    const size_t end = out.size() + bytes_max;
    for (size_t i = 0; i < value.size();) {
        const auto c = static_cast<unsigned char>(value[i]);
        if (c == '"' || c == '\\' || c < 0x20 || c == 0x7f) {
            char escaped[8];
            const int n = std::snprintf(escaped, sizeof escaped, "\\u%04x", c);
            if (out.size() + static_cast<size_t>(n) > end) return;
            out += escaped;
            ++i;
            continue;
        }
        size_t n = 1;
        while (c >= 0xc0 && i + n < value.size() && n < 4 && (static_cast<unsigned char>(value[i + n]) & 0xc0) == 0x80)
            ++n;
        const bool broken = c >= 0x80 && n == 1;
        if (out.size() + n > end) return;
        out += broken ? std::string_view("?") : value.substr(i, n);
        i += n;
    }
}

}  // namespace

std::string sample_line(const SampleFacts& facts) {
    std::string line = "{\"provider\":\"";
    append_json(line, facts.provider, 64);
    line += "\",\"outcome\":\"";
    line += facts.outcome;
    line += "\",\"attempt\":" + std::to_string(facts.attempt);
    if (facts.status != 0) line += ",\"status\":" + std::to_string(facts.status);
    if (facts.device_key >= 0) line += ",\"device_key\":" + std::to_string(facts.device_key);
    line += ",\"error\":\"";
    append_json(line, facts.reason, kSampleBytesMax - line.size() - 2);
    return line + "\"}";
}

}  // namespace belfry::delivery
