// SPDX-License-Identifier: Apache-2.0
// What Push Kit asks of a request's body: v1 and v2 (hms.md section 4) and v3 (section 5).
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace belfry::simulator {

struct HmsMessage {
    int code = 0;  // refuses the request; 0: fine
    std::string why;
    std::vector<std::string> tokens;
    std::string topic, condition;
    bool validate_only = false;
    bool marketing = false;  // its category is MARKETING
    std::string kept;        // the body without its tokens, as a phone gets it
};

HmsMessage read_hms_message(const std::string& body);
HmsMessage read_harmony_message(const std::string& body, std::string_view push_type);

}  // namespace belfry::simulator
