// SPDX-License-Identifier: Apache-2.0
// The Date header. Threads: [any], pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace belfry::http {

// An IMF-fixdate (RFC 9110 5.6.7), "Sun, 06 Nov 1994 08:49:37 GMT", as Unix milliseconds; 0 for anything else.
int64_t parse_http_date(std::string_view text) noexcept;

}  // namespace belfry::http
