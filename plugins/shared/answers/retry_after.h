// SPDX-License-Identifier: Apache-2.0
// Retry-After as milliseconds from now: seconds, or a date compared with the answer's own Date (RFC 9110, 10.2.3
// and 5.6.7).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace answers {

// 1 s to 24 h; nothing if the value is empty or neither form.
std::optional<int64_t> retry_after_ms(std::string_view value, int64_t date_unix_ms, int64_t now_unix_ms);

}  // namespace answers
