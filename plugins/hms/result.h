// SPDX-License-Identifier: Apache-2.0
// What an answer of HMS says: {"code", "msg", "requestId"}, whose msg holds free text, or JSON about single tokens as a
// text or as it is.
#pragma once

#include <belfry/provider.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace hms {

struct Result {
    uint32_t code = 0;  // 0: none of Huawei's was given
    std::string request_id;
    std::string text;                                      // msg, if it is for people
    bool by_token = false;                                 // msg could be read as JSON; then:
    int64_t success = -1, failure = -1;                    // -1: not said
    std::unordered_map<std::string, std::string> illegal;  // token to v3's word, "" in v1 and v2
};

Result read_result(const belfry::Services& services, std::string_view body);

}  // namespace hms
