// SPDX-License-Identifier: Apache-2.0
// Device ids as clients see them: the 56-bit device key, shuffled so that nothing can be read from it, with check
// digits that depend on the app. The same key and app give the same text for ever; the constants are public and protect
// nothing.
//
// Form: 16 characters of "0123456789abcdefghjkmnpqrstvwxyz" (no i, l, o, u): 56 bits of key, 24 bits of check. Every
// single wrong character and every swap of neighbours is noticed; an id of another app passes once in 16 million.
// Threads: [any], no state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace belfry {

inline constexpr size_t kDeviceIdLength = 16;
inline constexpr int64_t kDeviceKeyEnd = int64_t{1} << 56;  // keys are in [0, kDeviceKeyEnd)

std::string encode_device_id(std::string_view app, int64_t key);
// InvalidArgument: wrong form, or check digits that do not fit this app.
Result<int64_t> decode_device_id(std::string_view app, std::string_view id);

}  // namespace belfry
