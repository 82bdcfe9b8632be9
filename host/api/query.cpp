// SPDX-License-Identifier: Apache-2.0
#include "api/query.h"

#include <algorithm>

namespace belfry::api {
namespace {

int hex_of(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::string decoded(std::string_view text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+') {
            out += ' ';
        } else if (text[i] == '%' && i + 2 < text.size() && hex_of(text[i + 1]) >= 0 && hex_of(text[i + 2]) >= 0) {
            out += static_cast<char>(hex_of(text[i + 1]) * 16 + hex_of(text[i + 2]));
            i += 2;
        } else {
            out += text[i];
        }
    }
    return out;
}

}  // namespace

std::map<std::string, std::string> query_of(std::string_view query) {
    std::map<std::string, std::string> out;
    while (!query.empty()) {
        const std::string_view pair = query.substr(0, query.find('&'));
        const size_t equals = std::min(pair.find('='), pair.size());
        if (!pair.empty())
            out.emplace(decoded(pair.substr(0, equals)), decoded(pair.substr(std::min(equals + 1, pair.size()))));
        query.remove_prefix(std::min(pair.size() + 1, query.size()));
    }
    return out;
}

}  // namespace belfry::api
