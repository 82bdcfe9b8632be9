// SPDX-License-Identifier: Apache-2.0
// What a Redis server says of itself in INFO: "name:value" lines.
//
// Threads: [any]; pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace belfry::queue_redis {

// Empty if there is no such line.
std::string_view info_text(std::string_view info, std::string_view name);
int64_t info_number(std::string_view info, std::string_view name);

}  // namespace belfry::queue_redis
