// SPDX-License-Identifier: Apache-2.0
// The proto3 messages of FCM v1 as tables: which fields there are, and of what kind.
//
// Source: discovery document fcm.v1 revision 20230929, and the fields added until 2026 (fid, android_v2,
// bandwidth_constrained_ok, restricted_satellite_ok, live_activity_token).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace belfry::simulator {

enum class FieldKind : std::uint8_t { String, Bool, Int32, Float, Enum, Duration, Timestamp, StringMap, Free, Message };

struct MessageSchema;

struct EnumSchema {
    std::string_view full_name;
    std::span<const std::string_view> names;  // the number of a name is its place
};

struct FieldSchema {
    std::string_view name;  // snake_case; lowerCamelCase is accepted too
    FieldKind kind;
    bool repeated = false;
    const MessageSchema* message = nullptr;
    const EnumSchema* choices = nullptr;
    std::string_view oneof;
};

struct MessageSchema {
    std::span<const FieldSchema> fields;
};

extern const MessageSchema kSendRequestSchema;

// By either spelling; null when unknown.
const FieldSchema* find_field(const MessageSchema& schema, std::string_view name);

}  // namespace belfry::simulator
