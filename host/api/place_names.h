// SPDX-License-Identifier: Apache-2.0
// Names of timezones and languages, as far as they must be known to refuse a wrong one.
// Threads: [any].
#pragma once

#include <string>
#include <string_view>

namespace belfry::api {

// An IANA timezone of this machine's database. Where the machine has none, every name of the right form passes.
bool is_timezone(std::string_view name, const std::string& database = "/usr/share/zoneinfo");

// The form of a BCP 47 language tag (RFC 5646 2.1), not whether its subtags are registered.
bool is_locale(std::string_view tag) noexcept;

}  // namespace belfry::api
