// SPDX-License-Identifier: Apache-2.0
// On how many days a device was called dead alone, while the gate was shut: kept in its variant, above the bits that
// say what its token is good for (config.h). Counted anew for a device that is served or registers again.
#pragma once

#include <cstdint>

namespace hms {

struct Strikes {
    static constexpr uint32_t kEnough = 3;           // different days
    static constexpr uint32_t kForgottenAfter = 30;  // days

    uint32_t days = 0, last_day = 0;  // last_day: since 1970

    static Strikes of(uint32_t variant) { return {variant >> 2 & 3U, variant >> 4 & 0xFFFFU}; }
    uint32_t in(uint32_t variant) const { return without(variant) | days << 2 | last_day << 4; }
    static uint32_t without(uint32_t variant) { return variant & 3U; }
};

inline uint32_t day_of(int64_t unix_ms) {
    return static_cast<uint32_t>(unix_ms / (24 * 3600 * 1000));
}

}  // namespace hms
