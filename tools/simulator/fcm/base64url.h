// SPDX-License-Identifier: Apache-2.0
// RFC 4648 section 5 without padding, as JWTs use it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace belfry::simulator {

std::string base64url_encode(std::string_view bytes);
// Nothing for characters outside the alphabet, padding, or an impossible length.
std::optional<std::string> base64url_decode(std::string_view text);

}  // namespace belfry::simulator
