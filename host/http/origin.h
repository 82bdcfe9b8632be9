// SPDX-License-Identifier: Apache-2.0
// Scheme, host and port of an endpoint's URL. Threads: [any], values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace belfry::http {

struct Origin {
    std::string host;  // name or address, without brackets, lower case
    uint16_t port = 443;
    bool plain = false;     // http: without TLS
    bool literal = false;   // host is an IP address
    std::string authority;  // what :authority carries: the port only if it is not the scheme's own

    std::string with_port() const;  // "host:port", "[v6]:port"
};

// "https://host[:port][/]", and "http://..." if `plain_ok`. InvalidArgument otherwise: other schemes, user info, a
// path.
Result<Origin> parse_origin(std::string_view url, bool plain_ok = false);

}  // namespace belfry::http
