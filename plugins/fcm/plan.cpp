// SPDX-License-Identifier: Apache-2.0
#include "plan.h"

#include <algorithm>
#include <array>

namespace fcm {
namespace {

// Objects of strings. In those for devices keys are reserved: "Message" and "ErrorCode" name different ones, both lists
// count.
struct StringMap {
    std::string_view path;
    bool reserved_keys;
};
constexpr StringMap kStringMaps[] = {{"message.data", true},
                                     {"message.android.data", true},
                                     {"message.webpush.data", false},
                                     {"message.webpush.headers", false},
                                     {"message.apns.headers", false}};

bool is_reserved(std::string_view key) {
    return key == "from" || key == "message_type" || key == "gcm" || key.substr(0, 4) == "gcm." ||
           key.substr(0, 6) == "google";
}

// Adds the bytes of keys and values to `bytes`.
belfry_code check_map(const Json& json, const StringMap& map, size_t& bytes, belfry_why* why) {
    const belfry_json_value value = json.find(map.path);
    if (value.type == 0 || value.type == BELFRY_JSON_NULL) return BELFRY_OK;
    if (value.type != BELFRY_JSON_OBJECT)
        return because(why, BELFRY_BAD_REQUEST, map.path, "must be an object of strings");
    belfry_code code = BELFRY_OK;
    json.each(value, [&](const belfry_json_entry& entry) {
        const std::string key = json.string(entry.key), where = std::string(map.path) + "." + key;
        bytes += key.size() + json.string(entry.value).size();
        if (entry.value.type != BELFRY_JSON_STRING) {
            code = because(why, BELFRY_BAD_REQUEST, where, "must be a string, also for numbers and booleans");
        } else if (map.reserved_keys && is_reserved(key)) {
            code =
                because(why, BELFRY_BAD_REQUEST, where, "a key that FCM reserves (from, message_type, gcm*, google*)");
        }
        return code == BELFRY_OK;
    });
    return code;
}

belfry_code check_members(const Json& json, belfry_json_value message, belfry_why* why) {
    belfry_code code = BELFRY_OK;
    json.each(message, [&](const belfry_json_entry& entry) {
        const std::string key = json.string(entry.key);
        if (key == "token" || key == "topic" || key == "condition" || key == "fid") {
            code = because(why, BELFRY_BAD_REQUEST, "message." + key,
                           "not allowed here: the recipient of the push decides");
        }
        return code == BELFRY_OK;
    });
    return code;
}

belfry_code check_size(const Host& host, const belfry_content& content, size_t data_bytes, belfry_why* why) {
    if ((content.flags & BELFRY_CONTENT_HAS_HOLES) != 0) return BELFRY_OK;
    if (data_bytes > kPayloadMax) {
        return because(
            why, BELFRY_TOO_LARGE, "message.data",
            std::to_string(data_bytes) + " bytes of keys and values, FCM takes " + std::to_string(kPayloadMax));
    }
    if (content.kind != BELFRY_CONTENT_TOKENS && data_bytes > kTopicPayloadMax) {
        const std::string bytes = std::to_string(data_bytes), limit = std::to_string(kTopicPayloadMax);
        const std::array<belfry_header, 2> fields = {belfry_header{str("bytes"), str(bytes)},
                                                     {str("documented_limit"), str(limit)}};
        host.log->write(host.self, BELFRY_LEVEL_WARNING, str("FCM may refuse a topic push of this size"),
                        belfry::list_of(fields));
    }
    return BELFRY_OK;
}

bool is_topic(std::string_view name) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("-_.~%").find(c) != std::string_view::npos;
    };
    return !name.empty() && name.size() <= 900 && std::all_of(name.begin(), name.end(), allowed);
}

size_t occurrences(std::string_view text, std::string_view part) {
    size_t n = 0;
    for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++n;
    return n;
}

belfry_code check_target(const belfry_content& content, belfry_why* why) {
    const std::string_view target = view(content.target);
    switch (content.kind) {
        case BELFRY_CONTENT_TOKENS:
            return BELFRY_OK;
        case BELFRY_CONTENT_TOPIC:
            if (is_topic(target)) return BELFRY_OK;
            return because(why, BELFRY_BAD_REQUEST, "topic",
                           "must be the bare name: 1 to 900 of a-z A-Z 0-9 - _ . ~ %");
        case BELFRY_CONTENT_CONDITION: {
            const size_t topics = occurrences(target, "in topics");
            if (topics >= 1 && topics <= 5) return BELFRY_OK;
            return because(why, BELFRY_BAD_REQUEST, "condition",
                           "must name 1 to 5 topics, like 'a' in topics && !('b' in topics)");
        }
        default:
            return because(why, BELFRY_UNSUPPORTED, "", "FCM has no channels");
    }
}

}  // namespace

belfry_code check_token(std::string_view token, belfry_why* why) {
    if (token.empty() || token.size() > kTokenMax) {
        return because(why, BELFRY_BAD_REQUEST, "token", "an FCM registration token has 1 to 4096 bytes");
    }
    const auto allowed = [](char c) { return c > ' ' && c < 0x7F && c != '"' && c != '\'' && c != '\\'; };
    const auto wrong = std::find_if_not(token.begin(), token.end(), allowed);
    if (wrong == token.end()) return BELFRY_OK;
    return because(
        why, BELFRY_BAD_REQUEST, "token",
        "byte " + std::to_string(wrong - token.begin()) + " is a space, quote, control or non-ASCII character");
}

belfry_code check_content(const Host& host, const belfry_content& content, belfry_span& members, belfry_why* why) {
    const Json json{host, view(content.payload)};
    if (!json.check(why)) return BELFRY_BAD_REQUEST;
    if (const belfry_code code = check_target(content, why); code != BELFRY_OK) return code;
    const belfry_json_value message = json.find("message");
    if (message.type != BELFRY_JSON_OBJECT) {
        return because(why, BELFRY_BAD_REQUEST, "message",
                       "must be an object: {\"message\": {\"notification\": {...}}}");
    }
    belfry_code code = BELFRY_OK;
    json.each(json.find(""), [&](const belfry_json_entry& entry) {
        const std::string key = json.string(entry.key);
        if (key != "message")
            code = because(why, BELFRY_BAD_REQUEST, key, "unknown: only \"message\" is allowed at this level");
        return code == BELFRY_OK;
    });
    if (code == BELFRY_OK) code = check_members(json, message, why);
    size_t data_bytes = 0;
    for (const StringMap& map : kStringMaps) {
        size_t bytes = 0;
        if (code == BELFRY_OK) code = check_map(json, map, bytes, why);
        if (map.path == "message.data") data_bytes = bytes;
    }
    if (code == BELFRY_OK) code = check_size(host, content, data_bytes, why);
    bool empty = true;
    json.each(message, [&](const belfry_json_entry&) { return empty = false; });
    members = empty ? belfry_span{message.at.at, 0} : belfry_span{message.at.at + 1, message.at.n - 2};
    return code;
}

void emit_plan(std::string_view project_id, int32_t endpoint, const belfry_content& content, belfry_span members,
               belfry_emit emit, void* ctx) {
    std::string text;
    const auto piece = [&](std::string_view part) {
        const auto from = static_cast<uint32_t>(text.size());
        text += part;
        return belfry_piece{BELFRY_PIECE_TEXT, from, static_cast<uint32_t>(text.size())};
    };
    const bool tokens = content.kind == BELFRY_CONTENT_TOKENS;
    const char* target = tokens ? "token" : content.kind == BELFRY_CONTENT_TOPIC ? "topic" : "condition";
    const char* check = (content.flags & BELFRY_CONTENT_DRY_RUN) != 0 ? "\"validate_only\":true," : "";
    const std::array path = {piece("/v1/projects/" + std::string(project_id) + "/messages:send")};
    const std::array type = {piece("application/json")};
    const std::array body = {piece(std::string("{") + check + "\"message\":{\"" + target + "\":\""),
                             belfry_piece{tokens ? BELFRY_PIECE_TOKEN_JSON : BELFRY_PIECE_TARGET_JSON, 0, 0},
                             piece(members.n == 0 ? "\"" : "\","),
                             belfry_piece{BELFRY_PIECE_PAYLOAD, members.at, members.at + members.n}, piece("}}")};
    auto content_type = sized<belfry_field>();
    content_type.name = str("content-type");
    content_type.value = belfry::list_of(type);
    const std::array keep = {str("retry-after")};
    auto plan = sized<belfry_plan>();
    plan.endpoint = endpoint;
    plan.items_max = 1;
    plan.answer_max = kAnswerMax;
    plan.method = str("POST");
    plan.text = str(std::string_view(text));
    plan.path = belfry::list_of(path);
    plan.body = belfry::list_of(body);
    plan.headers = one_row(content_type);
    plan.keep = belfry::list_of(keep);
    emit(ctx, one_row(plan));
}

}  // namespace fcm
