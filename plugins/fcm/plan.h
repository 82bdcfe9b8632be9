// SPDX-License-Identifier: Apache-2.0
// From notification.fcm to a request: local checks of what FCM would refuse for every device, and the plan.
#pragma once

#include <belfry/provider.hpp>
#include <string_view>

namespace fcm {

inline constexpr size_t kTokenMax = 4096;         // bytes
inline constexpr size_t kPayloadMax = 4096;       // bytes of keys and values; Firebase, "ErrorCode"
inline constexpr size_t kTopicPayloadMax = 2048;  // documented on one page only, so a warning
inline constexpr uint32_t kAnswerMax = 16 * 1024;

// These throw Refused with the place in the payload.
void check_token(std::string_view token);
// The members of the message, without its braces, as a range of the payload.
belfry_span check_content(const belfry::Services& services, const belfry_content& content);

void emit_plan(const std::string& project_id, int32_t endpoint, const belfry_content& content, belfry_span members,
               const belfry::Emit<belfry_plan>& emit);

}  // namespace fcm
