// SPDX-License-Identifier: Apache-2.0
// From notification.fcm to a request: local checks of what FCM would refuse for every device, and the plan.
#pragma once

#include <belfry/provider.h>

#include "host.h"

// What decode must know of a push.
struct belfry_prepared {
    bool to_devices = true;  // not a topic or condition
    bool rendered = false;   // devices get different payloads
};

namespace fcm {

inline constexpr size_t kTokenMax = 4096;         // bytes
inline constexpr size_t kPayloadMax = 4096;       // bytes of keys and values; Firebase, "ErrorCode"
inline constexpr size_t kTopicPayloadMax = 2048;  // documented on one page only, so a warning
inline constexpr uint32_t kAnswerMax = 16 * 1024;

belfry_code check_token(std::string_view token, belfry_why* why);
// The members of the message, without its braces, as a range of the payload.
belfry_code check_content(const Host& host, const belfry_content& content, belfry_span& members, belfry_why* why);
void emit_plan(std::string_view project_id, int32_t endpoint, const belfry_content& content, belfry_span members,
               belfry_emit emit, void* ctx);

}  // namespace fcm
