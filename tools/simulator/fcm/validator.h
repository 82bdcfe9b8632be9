// SPDX-License-Identifier: Apache-2.0
// A send request's body: what it asks for, and why FCM would refuse it.
#pragma once

#include <optional>
#include <string_view>

#include "fcm/message_rules.h"
#include "net/exchange.h"

namespace belfry::simulator {

struct SendOptions {
    bool refuse_duplicate_keys = true;
    bool android_too_big_text = false;
};

struct SendRequest {
    Target target;  // as far as it can be read, also of a refused request
    bool validate_only = false;
    std::optional<Reply> refusal;
};

SendRequest read_send_request(std::string_view body, const SendOptions& options);

}  // namespace belfry::simulator
