// SPDX-License-Identifier: Apache-2.0
// A push token's prefix says how its device behaves. Tokens of HarmonyOS begin with "next-", those of Android do not,
// and neither is good for the other's API.
//
//   ok-…, others     served
//   illegal-…        not a token (v3: tokenFormatError)
//   foreign-…        of another app (v3: noRight)
//   v3, after next-: platform-…, pushtype-…, atomic-…, country-…, penalty-…, image-…, appinfo-…, voice-…, live-…, odd-…
//                    for the words of hms.md section 10
//   slow-N-…         the whole answer takes N ms
#pragma once

#include <cstdint>
#include <string_view>

namespace belfry::simulator {

struct HmsDevice {
    std::string_view word;  // why it is not served, in v3's words; empty: it is
    std::uint32_t slow_ms = 0;
};

HmsDevice classify_hms_token(std::string_view token, bool harmony);

}  // namespace belfry::simulator
