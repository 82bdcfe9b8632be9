// SPDX-License-Identifier: Apache-2.0
#include "fcm/schema.h"

#include <array>

namespace belfry::simulator {

namespace {

using enum FieldKind;

constexpr FieldSchema field(std::string_view name, FieldKind kind) {
    return {name, kind, false, nullptr, nullptr, {}};
}
constexpr FieldSchema list(std::string_view name, FieldKind kind) {
    return {name, kind, true, nullptr, nullptr, {}};
}
constexpr FieldSchema choice(std::string_view name, const EnumSchema& choices) {
    return {name, Enum, false, nullptr, &choices, {}};
}
constexpr FieldSchema nested(std::string_view name, const MessageSchema& message) {
    return {name, Message, false, &message, nullptr, {}};
}
constexpr FieldSchema target(std::string_view name) {
    return {name, String, false, nullptr, nullptr, "target"};
}

#define BELFRY_FCM_NAME "type.googleapis.com/google.firebase.fcm.v1."

constexpr std::array<std::string_view, 2> kPriorityNames{"NORMAL", "HIGH"};
constexpr EnumSchema kPriority{BELFRY_FCM_NAME "AndroidConfig.AndroidMessagePriority", kPriorityNames};

constexpr std::array<std::string_view, 6> kNotificationPriorityNames{
    "PRIORITY_UNSPECIFIED", "PRIORITY_MIN", "PRIORITY_LOW", "PRIORITY_DEFAULT", "PRIORITY_HIGH", "PRIORITY_MAX"};
constexpr EnumSchema kNotificationPriority{BELFRY_FCM_NAME "AndroidNotification.NotificationPriority",
                                           kNotificationPriorityNames};

constexpr std::array<std::string_view, 4> kVisibilityNames{"VISIBILITY_UNSPECIFIED", "PRIVATE", "PUBLIC", "SECRET"};
constexpr EnumSchema kVisibility{BELFRY_FCM_NAME "AndroidNotification.Visibility", kVisibilityNames};

constexpr std::array<std::string_view, 4> kProxyNames{"PROXY_UNSPECIFIED", "ALLOW", "DENY", "IF_PRIORITY_LOWERED"};
constexpr EnumSchema kProxy{BELFRY_FCM_NAME "AndroidNotification.Proxy", kProxyNames};

#undef BELFRY_FCM_NAME

constexpr std::array kOptionsFields{field("analytics_label", String)};
constexpr MessageSchema kOptions{kOptionsFields};

constexpr std::array kNotificationFields{field("title", String), field("body", String), field("image", String)};
constexpr MessageSchema kNotification{kNotificationFields};

constexpr std::array kColorFields{field("red", Float), field("green", Float), field("blue", Float),
                                  field("alpha", Float)};
constexpr MessageSchema kColor{kColorFields};

constexpr std::array kLightFields{nested("color", kColor), field("light_on_duration", Duration),
                                  field("light_off_duration", Duration)};
constexpr MessageSchema kLight{kLightFields};

constexpr std::array kAndroidNotificationFields{
    field("title", String),
    field("body", String),
    field("icon", String),
    field("color", String),
    field("sound", String),
    field("tag", String),
    field("click_action", String),
    field("body_loc_key", String),
    list("body_loc_args", String),
    field("title_loc_key", String),
    list("title_loc_args", String),
    field("channel_id", String),
    field("ticker", String),
    field("sticky", Bool),
    field("event_time", Timestamp),
    field("local_only", Bool),
    choice("notification_priority", kNotificationPriority),
    field("default_sound", Bool),
    field("default_vibrate_timings", Bool),
    field("default_light_settings", Bool),
    list("vibrate_timings", Duration),
    choice("visibility", kVisibility),
    field("notification_count", Int32),
    nested("light_settings", kLight),
    field("image", String),
    field("bypass_proxy_notification", Bool),
    choice("proxy", kProxy),
};
constexpr MessageSchema kAndroidNotification{kAndroidNotificationFields};

constexpr std::array kAndroidFields{
    field("collapse_key", String),
    choice("priority", kPriority),
    field("ttl", Duration),
    field("restricted_package_name", String),
    field("data", StringMap),
    nested("notification", kAndroidNotification),
    nested("fcm_options", kOptions),
    field("direct_boot_ok", Bool),
    field("bandwidth_constrained_ok", Bool),
    field("restricted_satellite_ok", Bool),
};
constexpr MessageSchema kAndroid{kAndroidFields};

constexpr std::array kWebpushOptionsFields{field("link", String), field("analytics_label", String)};
constexpr MessageSchema kWebpushOptions{kWebpushOptionsFields};

constexpr std::array kWebpushFields{field("headers", StringMap), field("data", StringMap), field("notification", Free),
                                    nested("fcm_options", kWebpushOptions)};
constexpr MessageSchema kWebpush{kWebpushFields};

constexpr std::array kApnsOptionsFields{field("analytics_label", String), field("image", String)};
constexpr MessageSchema kApnsOptions{kApnsOptionsFields};

constexpr std::array kApnsFields{field("headers", StringMap), field("payload", Free),
                                 nested("fcm_options", kApnsOptions), field("live_activity_token", String)};
constexpr MessageSchema kApns{kApnsFields};

constexpr std::array kMessageFields{
    field("name", String),
    field("data", StringMap),
    nested("notification", kNotification),
    nested("android", kAndroid),
    field("android_v2", Free),
    nested("webpush", kWebpush),
    nested("apns", kApns),
    nested("fcm_options", kOptions),
    target("token"),
    target("fid"),
    target("topic"),
    target("condition"),
};
constexpr MessageSchema kMessage{kMessageFields};

constexpr std::array kSendRequestFields{field("validate_only", Bool), nested("message", kMessage)};

bool same_in_camel_case(std::string_view snake, std::string_view camel) {
    std::size_t at = 0;
    bool upper = false;
    for (const char c : snake) {
        if (c == '_') {
            upper = true;
            continue;
        }
        const char expected = upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
        upper = false;
        if (at >= camel.size() || camel[at] != expected) return false;
        ++at;
    }
    return at == camel.size();
}

}  // namespace

const MessageSchema kSendRequestSchema{kSendRequestFields};

const FieldSchema* find_field(const MessageSchema& schema, std::string_view name) {
    for (const FieldSchema& each : schema.fields) {
        if (each.name == name || same_in_camel_case(each.name, name)) return &each;
    }
    return nullptr;
}

}  // namespace belfry::simulator
