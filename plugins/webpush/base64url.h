// SPDX-License-Identifier: Apache-2.0
// RFC 4648, sections 4 and 5: written url-safe without padding, read in either alphabet with or without padding.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace webpush {

std::string base64url(std::string_view bytes);
// Nothing for other characters, an impossible length, or bits behind the end that are not zero.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace webpush
