// SPDX-License-Identifier: Apache-2.0
// The result of a push as every queue counts it, and the fingerprint of its request.
//
// Threads: [any]; values.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace belfry::queue_parts {

inline constexpr size_t kSamplesMax = 5;        // error samples kept per push
inline constexpr size_t kSampleBytesMax = 512;  // longest sample text

// Of a request: the same uid with another one is a conflict.
using Fingerprint = std::array<char, 16>;
Fingerprint fingerprint_of(std::string_view bytes) noexcept;

struct Tally {
    uint32_t gate = 0;
    int32_t outcome = 0;
    int64_t n = 0;
};

struct Sample {
    uint32_t gate = 0;
    int32_t outcome = 0;
    std::string text;
};

// `outcome` of a counter that is no outcome: deliveries planned.
inline constexpr int32_t kPlanned = 0;

// The result row of a push, packed or not.
struct Counters {
    int64_t planned = 0;
    std::vector<Tally> tallies;
    std::vector<Sample> samples;

    void add(uint32_t gate, int32_t outcome, int64_t n);
    // Takes back up to n, for dead letters that are replayed.
    void subtract(uint32_t gate, int32_t outcome, int64_t n);
    void keep_sample(uint32_t gate, int32_t outcome, std::string_view text);
    int64_t settled() const;
};

}  // namespace belfry::queue_parts
