// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/info.h"

#include <algorithm>
#include <charconv>

namespace belfry::queue_redis {

std::string_view info_text(std::string_view info, std::string_view name) {
    while (!info.empty()) {
        const std::string_view line = info.substr(0, info.find("\r\n"));
        if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ':')
            return line.substr(name.size() + 1);
        info.remove_prefix(std::min(info.size(), line.size() + 2));
    }
    return {};
}

int64_t info_number(std::string_view info, std::string_view name) {
    const std::string_view text = info_text(info, name);
    int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

}  // namespace belfry::queue_redis
