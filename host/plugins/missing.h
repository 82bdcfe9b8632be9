// SPDX-License-Identifier: Apache-2.0
// Names what an interface table lacks. Threads: [any].
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace belfry::plugins {

// The names whose flag is false, comma separated.
inline std::string join_missing(std::initializer_list<std::pair<std::string_view, bool>> members) {
    std::string names;
    for (const auto& [name, there] : members) {
        if (there) continue;
        if (!names.empty()) names += ", ";
        names += name;
    }
    return names;
}

}  // namespace belfry::plugins
