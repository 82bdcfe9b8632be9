// SPDX-License-Identifier: Apache-2.0
// One of a push's first errors as a line of JSON. Never a token.
// Threads: [any].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace belfry::delivery {

struct SampleFacts {
    std::string_view provider, outcome, reason;  // outcome: a final one, or "retry"
    int64_t device_key = -1;                     // -1: a raw token
    uint32_t attempt = 1;
    int status = 0;  // of HTTP, 0 = no answer
};

// At most 512 bytes; the reason is cut to fit.
std::string sample_line(const SampleFacts& facts);

}  // namespace belfry::delivery
