// SPDX-License-Identifier: Apache-2.0
// How often each registration token was accepted, and how many messages its device got this minute and hour.
//
// An open-addressing table of 24-byte rows keyed by a 64-bit hash of the token: a million distinct tokens cost about
// 50 MB, and two of a million share a hash with a chance of 3 in 100 million.
//
// Threads: [one at a time].  Owner: World.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace belfry::simulator {

class TokenLedger {
public:
    struct Row {
        std::uint64_t hash = 0;  // 0: free
        std::uint32_t accepted = 0;
        std::uint32_t minute = 0;  // which minute of the simulator's life `in_minute` counts
        std::uint16_t in_minute = 0;
        std::uint16_t hour = 0;
        std::uint16_t in_hour = 0;
        std::uint16_t failures = 0;  // scripted failures already given (token classes r500-K and the like)
    };
    struct Summary {
        std::uint64_t distinct = 0;
        std::uint64_t accepted = 0;
        std::uint32_t min_times = 0;
        std::uint32_t max_times = 0;
        std::uint64_t more_than_once = 0;
    };

    // The row of `token`, created when missing; valid until the next call.
    Row& row(std::string_view token);
    [[nodiscard]] std::uint32_t times_accepted(std::string_view token) const;
    // Over tokens accepted at least once. Walks the table: milliseconds for a million tokens.
    [[nodiscard]] Summary summary() const;
    void clear();

private:
    [[nodiscard]] std::size_t find_slot(std::uint64_t hash) const;
    void grow();

    std::vector<Row> rows_;
    std::size_t used_ = 0;
};

}  // namespace belfry::simulator
