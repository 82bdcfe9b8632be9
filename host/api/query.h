// SPDX-License-Identifier: Apache-2.0
// A URL's query ("a=1&b=x%20y") as names and values. Threads: [any], no state.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace belfry::api {

// '+' and %XX resolved; of a repeated name the first counts.
std::map<std::string, std::string> query_of(std::string_view query);

}  // namespace belfry::api
