// SPDX-License-Identifier: Apache-2.0
#include "apns/push_rules.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "apns/reasons.h"

namespace belfry::simulator {

namespace {

constexpr std::size_t kPayloadMax = 4096, kVoipPayloadMax = 5120, kCollapseIdMax = 64;  // bytes

struct PushType {
    std::string_view name, suffix;
};

constexpr std::array kPushTypes{PushType{"alert", ""},
                                PushType{"background", ""},
                                PushType{"voip", ".voip"},
                                PushType{"complication", ".complication"},
                                PushType{"fileprovider", ".pushkit.fileprovider"},
                                PushType{"mdm", ""},
                                PushType{"location", ".location-query"},
                                PushType{"liveactivity", ".push-type.liveactivity"},
                                PushType{"pushtotalk", ".voip-ptt"},
                                PushType{"widgets", ".push-type.widgets"},
                                PushType{"controls", ".push-type.controls"}};

std::string_view suffix_of(std::string_view topic) {
    std::string_view longest;
    for (const PushType& type : kPushTypes) {
        if (topic.ends_with(type.suffix) && type.suffix.size() > longest.size()) longest = type.suffix;
    }
    return longest;
}

bool has_header(const Request& request, std::string_view name) {
    return std::any_of(request.headers.begin(), request.headers.end(),
                       [&](const Header& header) { return header.name == name; });
}

std::optional<Reply> refuse_headers(const Request& request, const ApnsPush& push) {
    if (has_duplicate_headers(request)) return apns_refusal(400, "DuplicateHeaders");
    if (has_header(request, "apns-id") && !is_canonical_uuid(request.header("apns-id"))) {
        return apns_refusal(400, "BadMessageId");
    }
    if (!expiration_holds(request)) return apns_refusal(400, "BadExpirationDate");
    if (!priority_holds(request)) return apns_refusal(400, "BadPriority");
    if (request.header("apns-collapse-id").size() > kCollapseIdMax) return apns_refusal(400, "BadCollapseId");
    const auto* type = std::find_if(kPushTypes.begin(), kPushTypes.end(),
                                    [&](const PushType& each) { return each.name == push.push_type; });
    if (type == kPushTypes.end()) return apns_refusal(400, "InvalidPushType");
    // Without the header the priority is 10, which a background push must not have.
    if (push.push_type == "background" && request.header("apns-priority") != "5" &&
        request.header("apns-priority") != "1") {
        return apns_refusal(400, "BadPriority");
    }
    if (push.topic.empty()) return apns_refusal(400, "MissingTopic");
    if (push.push_type != "mdm" && suffix_of(push.topic) != type->suffix) return apns_refusal(400, "BadTopic");
    return std::nullopt;
}

std::optional<Reply> refuse_body(const Request& request, const ApnsPush& push) {
    const std::size_t most = push.push_type == "voip" ? kVoipPayloadMax : kPayloadMax;
    if (request.body.empty()) return apns_refusal(400, "PayloadEmpty");
    if (request.body.size() > most) return apns_refusal(413, "PayloadTooLarge");
    if (!is_json_object(request.body)) return apns_refusal(400, "PayloadEmpty");
    return std::nullopt;
}

}  // namespace

ApnsPush read_apns_push(const Request& request, const std::string& certificate_topic) {
    ApnsPush push;
    push.push_type = has_header(request, "apns-push-type") ? request.header("apns-push-type") : "alert";
    push.topic = has_header(request, "apns-topic") ? request.header("apns-topic") : certificate_topic;
    push.bundle = push.topic.substr(0, push.topic.size() - suffix_of(push.topic).size());
    push.refusal = refuse_headers(request, push);
    if (!push.refusal) push.refusal = refuse_body(request, push);
    return push;
}

bool is_canonical_uuid(std::string_view text) {
    if (text.size() != 36) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        const bool hex = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
        if (dash ? text[i] != '-' : !hex) return false;
    }
    return true;
}

bool is_json_object(const std::string& text) {
    return nlohmann::json::parse(text, nullptr, false).is_object();
}

bool expiration_holds(const Request& request) {
    const std::string_view value = request.header("apns-expiration");
    const bool digits = std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
    return !has_header(request, "apns-expiration") || (digits && !value.empty() && value.size() <= 10);
}

bool priority_holds(const Request& request) {
    const std::string_view value = request.header("apns-priority");
    return !has_header(request, "apns-priority") || value == "1" || value == "5" || value == "10";
}

bool has_duplicate_headers(const Request& request) {
    std::set<std::string_view> seen;
    return std::any_of(request.headers.begin(), request.headers.end(), [&](const Header& header) {
        const bool ours = header.name.starts_with("apns-") || header.name == "authorization";
        return ours && !seen.insert(header.name).second;
    });
}

}  // namespace belfry::simulator
