// SPDX-License-Identifier: Apache-2.0
#include "plan.h"

#include <algorithm>
#include <belfry/json.hpp>

namespace fcm {
namespace {

using belfry::Json;
using belfry::Refused;

[[noreturn]] void wrong(const std::string& where, const std::string& what) {
    throw Refused(BELFRY_BAD_REQUEST, where, what);
}

// Objects of strings, by the member of "message" that holds them. In those for devices keys are reserved: "Message" and
// "ErrorCode" name different ones, both lists count.
struct StringMap {
    std::string_view holder;  // empty: "message" itself
    std::string_view name;
    bool reserved_keys;
};
constexpr StringMap kStringMaps[] = {{"", "data", true},
                                     {"android", "data", true},
                                     {"webpush", "data", false},
                                     {"webpush", "headers", false},
                                     {"apns", "headers", false}};

const StringMap* string_map(std::string_view holder, std::string_view name) {
    for (const StringMap& map : kStringMaps) {
        if (map.holder == holder && map.name == name) return &map;
    }
    return nullptr;
}

bool is_reserved(std::string_view key) {
    return key == "from" || key == "message_type" || key == "gcm" || key.starts_with("gcm.") ||
           key.starts_with("google");
}

// The bytes of keys and values.
size_t check_map(const Json& json, const StringMap& map, belfry_json_value value) {
    if (value.type == BELFRY_JSON_NULL) return 0;
    std::string path("message.");
    if (!map.holder.empty()) path.append(map.holder).append(".");
    path.append(map.name);
    if (value.type != BELFRY_JSON_OBJECT) wrong(path, "must be an object of strings");
    size_t bytes = 0;
    json.each(value, [&](const belfry_json_entry& entry) {
        const std::string key = json.string(entry.key);
        if (entry.value.type != BELFRY_JSON_STRING) {
            wrong(path + "." + key, "must be a string, also for numbers and booleans");
        }
        if (map.reserved_keys && is_reserved(key)) {
            wrong(path + "." + key, "a key that FCM reserves (from, message_type, gcm*, google*)");
        }
        bytes += key.size() + json.string(entry.value).size();
    });
    return bytes;
}

// The value of "message", which nothing may stand beside.
belfry_json_value only_message(const Json& json, belfry_json_value root) {
    belfry_json_value message{};
    if (root.type != BELFRY_JSON_OBJECT) return message;
    json.each(root, [&](const belfry_json_entry& entry) {
        const std::string key = json.string(entry.key);
        if (key != "message") wrong(key, "unknown: only \"message\" is allowed at this level");
        message = entry.value;
    });
    return message;
}

// One walk over the members of "message", for it is made for every push; the bytes of message.data. Of a key that
// stands there twice both are checked and the last one counts.
size_t check_members(const Json& json, belfry_json_value message) {
    size_t data_bytes = 0;
    json.each(message, [&](const belfry_json_entry& entry) {
        const std::string key = json.string(entry.key);
        if (key == "token" || key == "topic" || key == "condition" || key == "fid") {
            wrong("message." + key, "not allowed here: the recipient of the push decides");
        }
        if (const StringMap* map = string_map("", key)) data_bytes = check_map(json, *map, entry.value);
        if (key != "android" && key != "webpush" && key != "apns") return;
        json.each(entry.value, [&](const belfry_json_entry& inner) {
            if (const StringMap* map = string_map(key, json.string(inner.key))) check_map(json, *map, inner.value);
        });
    });
    return data_bytes;
}

void check_size(const Json& json, const belfry_content& content, size_t data_bytes) {
    if ((content.flags & BELFRY_CONTENT_HAS_HOLES) != 0) return;
    if (data_bytes > kPayloadMax) {
        throw Refused(
            BELFRY_TOO_LARGE, "message.data",
            std::to_string(data_bytes) + " bytes of keys and values, FCM takes " + std::to_string(kPayloadMax));
    }
    if (content.kind != BELFRY_CONTENT_TOKENS && data_bytes > kTopicPayloadMax) {
        json.services.warning(
            "FCM may refuse a topic push of this size",
            {{"bytes", std::to_string(data_bytes)}, {"documented_limit", std::to_string(kTopicPayloadMax)}});
    }
}

void check_target(const belfry_content& content) {
    const std::string_view target = belfry::view(content.target);
    if (content.kind == BELFRY_CONTENT_TOPIC && (!belfry::is_word(target, "-_.~%") || target.size() > 900)) {
        wrong("target", "must be the bare name: 1 to 900 of a-z A-Z 0-9 - _ . ~ %");
    }
    if (content.kind == BELFRY_CONTENT_CONDITION) {
        size_t topics = 0;
        for (size_t at = target.find("in topics"); at != target.npos; at = target.find("in topics", at + 1)) ++topics;
        if (topics < 1 || topics > 5) {
            wrong("target", "must name 1 to 5 topics, like 'a' in topics && !('b' in topics)");
        }
    }
    if (content.kind == BELFRY_CONTENT_CHANNEL) throw Refused(BELFRY_UNSUPPORTED, "", "FCM has no channels");
}

}  // namespace

void check_token(std::string_view token) {
    if (token.empty() || token.size() > kTokenMax) wrong("token", "an FCM registration token has 1 to 4096 bytes");
    const auto allowed = [](char c) { return c > ' ' && c < 0x7F && c != '"' && c != '\'' && c != '\\'; };
    const auto bad = std::find_if_not(token.begin(), token.end(), allowed);
    if (bad == token.end()) return;
    wrong("token",
          "byte " + std::to_string(bad - token.begin()) + " is a space, quote, control or non-ASCII character");
}

belfry_span check_content(const belfry::Services& services, const belfry_content& content) {
    const Json json = Json::checked(services, belfry::view(content.payload));
    check_target(content);
    const belfry_json_value message = only_message(json, json.find(""));
    if (message.type != BELFRY_JSON_OBJECT) {
        wrong("message", "must be an object: {\"message\": {\"notification\": {...}}}");
    }
    check_size(json, content, check_members(json, message));
    const bool empty = json.raw(message).find('"') == std::string_view::npos;
    return empty ? belfry_span{message.at.at, 0} : belfry_span{message.at.at + 1, message.at.n - 2};
}

void emit_plan(const std::string& project_id, int32_t endpoint, const belfry_content& content, belfry_span members,
               const belfry::Emit<belfry_plan>& emit) {
    const bool tokens = content.kind == BELFRY_CONTENT_TOKENS;
    const char* target = tokens ? "token" : content.kind == BELFRY_CONTENT_TOPIC ? "topic" : "condition";
    const char* check = (content.flags & BELFRY_CONTENT_DRY_RUN) != 0 ? "\"validate_only\":true," : "";
    belfry::Plan plan(endpoint, 0);
    plan.answer_max(kAnswerMax).keep("retry-after");
    plan.path().text("/v1/projects/" + project_id + "/messages:send");
    plan.header("content-type").text("application/json");
    belfry::Plan::Pieces& body = plan.body();
    body.text(std::string("{") + check + "\"message\":{\"" + target + "\":\"");
    tokens ? body.token_json() : body.target_json();
    body.text(members.n == 0 ? "\"" : "\",").payload(members.at, members.at + members.n).text("}}");
    plan.emit(emit);
}

}  // namespace fcm
