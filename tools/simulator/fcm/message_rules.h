// SPDX-License-Identifier: Apache-2.0
// What FCM asks of a message beyond its schema: one target, free data keys, TTL, sizes, names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "fcm/json_tree.h"
#include "net/exchange.h"

namespace belfry::simulator {

enum class TargetKind : std::uint8_t { None, Token, Fid, Topic, Condition };

struct Target {
    TargetKind kind = TargetKind::None;
    std::string text;  // a topic without a leading /topics/

    [[nodiscard]] bool is_device() const { return kind == TargetKind::Token || kind == TargetKind::Fid; }
    // "token:abc"; empty for none.
    [[nodiscard]] std::string label() const;
};

constexpr std::size_t kDevicePayloadMax = 4096;
constexpr std::size_t kTopicPayloadMax = 2048;
constexpr std::int64_t kTtlMaxSeconds = 2'419'200;  // 28 days

// The first target that is set; the schema check has seen to it that there is at most one.
Target target_of(const JsonTree& message);

// The largest of what Android, APNs and web push clients would get: keys and values of data and notification.
std::size_t payload_bytes(const JsonTree& message);

// The refusal, or nothing when the message may go.
std::optional<Reply> check_message_rules(const JsonTree& message, const Target& target, bool android_too_big_text);

}  // namespace belfry::simulator
