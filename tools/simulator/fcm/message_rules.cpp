// SPDX-License-Identifier: Apache-2.0
#include "fcm/message_rules.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "fcm/condition.h"
#include "fcm/errors.h"
#include "fcm/proto_check.h"
#include "fcm/schema.h"

namespace belfry::simulator {

namespace {

constexpr std::size_t kAnalyticsLabelMax = 50;
constexpr std::size_t kDeviceTokenMax = 4096;

// A member by either spelling, null counting as absent.
const JsonTree* get(const JsonTree* object, std::string_view snake, std::string_view camel = {}) {
    if (object == nullptr) return nullptr;
    const JsonTree* found = object->find(snake);
    if (found == nullptr && !camel.empty()) found = object->find(camel);
    return found == nullptr || found->kind == JsonTree::Kind::Null ? nullptr : found;
}

std::size_t flat_bytes(const JsonTree* object) {
    if (object == nullptr) return 0;
    std::size_t total = 0;
    for (const JsonMember& member : object->members) {
        total += member.name.size();
        total += member.value.is_string() ? member.value.text.size() : to_text(member.value).size();
    }
    return total;
}

Reply refuse(std::string_view field, const std::string& description) {
    return GoogleError(400, "INVALID_ARGUMENT", description)
        .bad_request({{std::string(field), description}})
        .fcm("INVALID_ARGUMENT")
        .reply();
}

bool is_reserved_key(std::string_view key) {
    return key == "from" || key == "gcm" || key == "message_type" || key.starts_with("google") ||
           key.starts_with("gcm.");
}

std::optional<Reply> check_data(const JsonTree* parent, std::string_view path) {
    const JsonTree* data = get(parent, "data");
    if (data == nullptr) return std::nullopt;
    for (const JsonMember& member : data->members) {
        if (is_reserved_key(member.name)) return refuse(path, "Invalid data payload key: " + member.name);
    }
    return std::nullopt;
}

std::optional<Reply> check_analytics_label(const JsonTree* parent, std::string_view path) {
    const JsonTree* label = get(get(parent, "fcm_options", "fcmOptions"), "analytics_label", "analyticsLabel");
    if (label == nullptr || label->text.empty()) return std::nullopt;
    if (label->text.size() <= kAnalyticsLabelMax && is_topic_name(label->text)) return std::nullopt;
    return refuse(path, "Invalid analytics label: it must match ^[a-zA-Z0-9-_.~%]{1,50}$");
}

std::optional<Reply> check_android(const JsonTree* android) {
    if (const JsonTree* ttl = get(android, "ttl")) {
        const std::int64_t seconds = parse_duration(ttl->text).value_or(-1);
        if (seconds < 0 || seconds > kTtlMaxSeconds) {
            return refuse("message.android.ttl", "Invalid TTL: it must be between 0s and 2419200s");
        }
    }
    const JsonTree* color = get(get(android, "notification"), "color");
    if (color != nullptr && !color->text.empty()) {
        const std::string_view hex = std::string_view(color->text).substr(1);
        const bool fits = color->text.front() == '#' && hex.size() == 6 &&
                          hex.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
        if (!fits) return refuse("message.android.notification.color", "Invalid color: it must be #rrggbb");
    }
    return std::nullopt;
}

std::optional<Reply> check_webpush(const JsonTree* webpush) {
    const JsonTree* link = get(get(webpush, "fcm_options", "fcmOptions"), "link");
    if (link == nullptr || link->text.empty() || link->text.starts_with("https://")) return std::nullopt;
    return refuse("message.webpush.fcm_options.link", "Invalid link: it must be an https URL");
}

std::optional<Reply> check_target(const Target& target) {
    switch (target.kind) {
        case TargetKind::None:
            return refuse("message", "Recipient of the message is not set.");
        case TargetKind::Topic:
            if (is_topic_name(target.text)) return std::nullopt;
            return refuse("message.topic", "Invalid topic name: it must match [a-zA-Z0-9-_.~%]{1,900}");
        case TargetKind::Condition:
            if (evaluate_condition(target.text, [](std::string_view) { return false; })) return std::nullopt;
            return refuse("message.condition", "Invalid condition expression provided.");
        case TargetKind::Token:
        case TargetKind::Fid: {
            const bool printable =
                std::all_of(target.text.begin(), target.text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
            if (target.text.empty() || target.text.size() > kDeviceTokenMax || !printable) return malformed_token();
            return std::nullopt;
        }
    }
    return std::nullopt;
}

std::optional<Reply> check_size(const JsonTree& message, const Target& target, bool android_text) {
    const std::size_t most = target.is_device() ? kDevicePayloadMax : kTopicPayloadMax;
    if (payload_bytes(message) <= most) return std::nullopt;
    std::string text = "Message is too large. The maximum is " + std::to_string(most / 1024) + "K (" +
                       std::to_string(most) + " bytes).";
    if (android_text) text = "Android message is too big";
    return GoogleError(400, "INVALID_ARGUMENT", std::move(text)).fcm("INVALID_ARGUMENT").reply();
}

}  // namespace

std::string Target::label() const {
    switch (kind) {
        case TargetKind::None:
            return {};
        case TargetKind::Token:
            return "token:" + text;
        case TargetKind::Fid:
            return "fid:" + text;
        case TargetKind::Topic:
            return "topic:" + text;
        case TargetKind::Condition:
            return "condition:" + text;
    }
    return {};
}

Target target_of(const JsonTree& message) {
    constexpr std::array<std::pair<std::string_view, TargetKind>, 4> kTargets{{{"token", TargetKind::Token},
                                                                               {"fid", TargetKind::Fid},
                                                                               {"topic", TargetKind::Topic},
                                                                               {"condition", TargetKind::Condition}}};
    for (const auto& [name, kind] : kTargets) {
        const JsonTree* value = get(&message, name);
        if (value == nullptr || !value->is_string()) continue;
        constexpr std::string_view kPrefix = "/topics/";
        const bool prefixed = kind == TargetKind::Topic && value->text.starts_with(kPrefix);
        return {kind, prefixed ? value->text.substr(kPrefix.size()) : value->text};
    }
    return {};
}

std::size_t payload_bytes(const JsonTree& message) {
    const JsonTree* data = get(&message, "data");
    const JsonTree* android = get(&message, "android");
    const JsonTree* webpush = get(&message, "webpush");
    const std::size_t notification = flat_bytes(get(&message, "notification"));
    const auto data_or = [&](const JsonTree* own) { return flat_bytes(own != nullptr ? own : data); };

    const std::size_t for_android =
        notification + data_or(get(android, "data")) + flat_bytes(get(android, "notification"));
    const std::size_t for_web = notification + data_or(get(webpush, "data")) + flat_bytes(get(webpush, "notification"));
    const JsonTree* payload = get(get(&message, "apns"), "payload");
    const std::size_t for_apns = notification + flat_bytes(data) + flat_bytes(payload);
    return std::max({for_android, for_web, for_apns});
}

std::optional<Reply> check_message_rules(const JsonTree& message, const Target& target, bool android_too_big_text) {
    const JsonTree* android = get(&message, "android");
    const JsonTree* webpush = get(&message, "webpush");
    const JsonTree* apns = get(&message, "apns");
    if (auto refusal = check_target(target)) return refusal;
    if (auto refusal = check_data(&message, "message.data")) return refusal;
    if (auto refusal = check_data(android, "message.android.data")) return refusal;
    if (auto refusal = check_data(webpush, "message.webpush.data")) return refusal;
    if (auto refusal = check_android(android)) return refusal;
    if (auto refusal = check_webpush(webpush)) return refusal;
    if (auto refusal = check_analytics_label(&message, "message.fcm_options.analytics_label")) return refusal;
    if (auto refusal = check_analytics_label(android, "message.android.fcm_options.analytics_label")) return refusal;
    if (auto refusal = check_analytics_label(webpush, "message.webpush.fcm_options.analytics_label")) return refusal;
    if (auto refusal = check_analytics_label(apns, "message.apns.fcm_options.analytics_label")) return refusal;
    return check_size(message, target, android_too_big_text);
}

}  // namespace belfry::simulator
