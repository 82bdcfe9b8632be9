// SPDX-License-Identifier: Apache-2.0
// Percent-encoding, form bodies and query strings.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belfry::simulator {

// Nothing when an escape is broken.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

// The value of `name` in an application/x-www-form-urlencoded text, which a query string is too.
std::optional<std::string> form_value(std::string_view form, std::string_view name);

// "/a/b%2Fc" as {"a", "b/c"}; nothing when an escape is broken.
std::optional<std::vector<std::string>> path_segments(std::string_view path);

}  // namespace belfry::simulator
