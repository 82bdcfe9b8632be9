// SPDX-License-Identifier: Apache-2.0
#include "message.h"

#include <algorithm>
#include <belfry/json.hpp>

namespace hms {
namespace {

using belfry::Json;
using belfry::Refused;

[[noreturn]] void wrong(const std::string& where, const std::string& what) {
    throw Refused(BELFRY_BAD_REQUEST, where, what);
}

void check_keys(const Json& json, std::string_view allowed, const char* what) {
    json.each("", [&](const belfry_json_entry& entry) {
        const std::string key = json.string(entry.key);
        if (key != "message" && key != allowed) wrong(key, what);
    });
}

// What a payload for the other generation would look like.
void check_shape(const Json& json, bool harmony) {
    const bool classic_members =
        json.has("message.android") || json.has("message.data") || json.has("message.notification");
    const bool harmony_members = json.has("message.payload") || json.has("message.pushOptions");
    if (harmony && classic_members && !harmony_members) {
        wrong("message", "is a message of v1 or v2, but this provider sends v3: {\"message\": {\"payload\": {...}}}");
    }
    if (!harmony && harmony_members && !classic_members) {
        wrong("message", "is a message of v3, but this provider sends v1 or v2: {\"message\": {\"android\": {...}}}");
    }
}

void check_classic(const Json& json) {
    check_keys(json, "v3", "unknown: only \"message\", and \"v3\" for other phones, are allowed at this level");
    const belfry_json_value data = json.find("message.data");
    const bool text = data.type == 0 || data.type == BELFRY_JSON_NULL || data.type == BELFRY_JSON_STRING;
    if (!text) wrong("message.data", "must be a text; write JSON into it as a text");
    const belfry_json_value shown = json.find("message.android.notification");
    if (shown.type == BELFRY_JSON_OBJECT && !json.has("message.android.notification.click_action"))
        wrong("message.android.notification.click_action", "missing; {\"type\": 3} opens the app");
    const std::string_view key = json.raw(json.find("message.android.collapse_key"));
    const auto number = json.services.json_int(json.text, "message.android.collapse_key");
    if (!key.empty() && key != "null" && (!number || *number < -1 || *number > 100))
        wrong("message.android.collapse_key", "must be a number from -1 to 100");
}

// Huawei's push types (hms.md section 5): 0 alert, 1 form, 2 voice, 6 background, 7 live view, 10 call, 11 MDM.
std::string push_type_of(const Json& json) {
    if (json.has("headers") && !json.is_object("headers")) wrong("headers", "must be an object of texts");
    std::string type;
    json.each("headers", [&](const belfry_json_entry& entry) {
        const std::string key = json.string(entry.key);
        if (key != "push-type") wrong("headers." + key, "unknown: there is push-type");
        type = json.string(entry.value);
        if (!belfry::is_digits(type) || type.size() > 2)
            wrong("headers.push-type",
                  "must be a text: \"0\" alert, \"1\" form, \"2\" voice, \"6\" background, "
                  "\"7\" live view, \"10\" call, \"11\" MDM");
    });
    if (!type.empty()) return type;
    if (!json.has("message.payload.notification"))
        wrong("headers.push-type", "missing; without it only payloads with a notification go, as alerts");
    return "0";
}

void check_harmony(const Json& json, Layout& layout) {
    check_keys(json, "headers", "unknown: only \"headers\" and \"message\" are allowed at this level");
    if (!json.is_object("message.payload"))
        wrong("message.payload", "must be an object: {\"message\": {\"payload\": {\"notification\": {...}}}}");
    layout.push_type = push_type_of(json);
    if (json.flag("message.pushOptions.testMessage")) layout.items_max = kTestItemsMax;
    if (layout.push_type == "1") layout.items_max = 1;
}

// Where expire_at goes unless the caller says how long Huawei keeps the message: into `holder`, which may have to be
// made.
void place_ttl(const Json& json, const char* holder, const std::string& quote, Layout& layout) {
    const std::string path = std::string("message.") + holder;
    const belfry_json_value object = json.find(path);
    if (json.has(path + ".ttl") || (object.type != 0 && object.type != BELFRY_JSON_OBJECT)) return;
    layout.before_ttl = "\"ttl\":" + quote;
    layout.after_ttl = quote.empty() ? "" : "s" + quote;
    if (object.type == 0) {
        layout.ttl_at = layout.members.at + layout.members.n;
        layout.before_ttl = std::string(",\"") + holder + "\":{" + layout.before_ttl;
        layout.after_ttl += "}";
        return;
    }
    layout.ttl_at = object.at.at + 1;
    bool empty = true;
    json.each(object, [&](const belfry_json_entry&) { empty = false; });
    if (!empty) layout.after_ttl += ",";
}

}  // namespace

bool is_token(std::string_view token) {
    return belfry::is_visible(token) && token.size() <= kTokenMax && token.find_first_of("\"'\\") == token.npos;
}

namespace {

// Spans of what it gives are relative to `json`.
Layout read_part(const Json& json, Generation generation, bool expires, bool final_size) {
    const bool harmony = generation == Generation::V3;
    const belfry_json_value message = json.find("message");
    if (message.type != BELFRY_JSON_OBJECT) {
        wrong("message", harmony ? "must be an object: {\"message\": {\"payload\": {...}}}"
                                 : "must be an object: {\"message\": {\"android\": {\"notification\": {...}}}}");
    }
    bool empty = true;
    json.each(message, [&](const belfry_json_entry& entry) {
        const std::string key = json.string(entry.key);
        empty = false;
        if (key == "token" || key == "topic" || key == "condition" || key == "target")
            wrong("message." + key, "not allowed here: the recipient of the push decides");
    });
    if (empty) wrong("message", "is empty");
    check_shape(json, harmony);
    Layout layout;
    layout.members = {message.at.at + 1, message.at.n - 2};
    harmony ? check_harmony(json, layout) : check_classic(json);
    if (expires) place_ttl(json, harmony ? "pushOptions" : "android", harmony ? "" : "\"", layout);
    const Frame frame = frame_of(layout, generation, json.text, false, kHarmonyTtlMaxS);
    const size_t bytes = frame.head.size() + frame.tail.size();
    if (final_size && bytes > kBodyMax) {
        throw Refused(
            BELFRY_TOO_LARGE, "message",
            std::to_string(bytes) + " bytes as a request without tokens, Huawei takes " + std::to_string(kBodyMax));
    }
    return layout;
}

}  // namespace

Layout read_message(const belfry::Services& services, Generation generation, std::string_view payload, bool expires,
                    bool final_size) {
    const Json json = Json::checked(services, payload);
    const belfry_json_value own = json.find("v3");
    if (generation != Generation::V3 || own.type == 0) return read_part(json, generation, expires, final_size);
    check_keys(json, "v3", "unknown: only \"message\", for other phones, and \"v3\" are allowed at this level");
    try {
        Layout layout = read_part(json.at(own), generation, expires, final_size);
        layout.members.at += own.at.at;
        layout.ttl_at += own.at.at;
        return layout;
    } catch (const Refused& wrong) {
        throw Refused(wrong.code(), "v3." + wrong.where(), wrong.what());
    }
}

void check_target(Generation generation, const belfry_content& content) {
    if (content.kind == BELFRY_CONTENT_TOKENS) return;
    if (content.kind == BELFRY_CONTENT_CHANNEL) throw Refused(BELFRY_UNSUPPORTED, "", "HMS has no channels");
    if (generation == Generation::V3)
        throw Refused(BELFRY_UNSUPPORTED, "", "v3 has no topics or conditions: register devices for Belfry's topics");
    const std::string_view target = belfry::view(content.target);
    // Letters beyond ASCII are Chinese ones.
    const auto allowed = [](char c) {
        return belfry::is_word({&c, 1}, "-_.~%") || static_cast<unsigned char>(c) >= 0x80;
    };
    const bool topic = !target.empty() && target.size() <= 900 && std::all_of(target.begin(), target.end(), allowed);
    if (content.kind == BELFRY_CONTENT_TOPIC && !topic)
        wrong("target", "must be the bare name: 1 to 900 of a-z A-Z 0-9 - _ . ~ % and Chinese letters");
    if (content.kind == BELFRY_CONTENT_CONDITION && target.find("in topics") == std::string_view::npos)
        wrong("target", "must name topics, like 'a' in topics && ('b' in topics || 'c' in topics)");
}

Frame frame_of(const Layout& layout, Generation generation, std::string_view payload, bool check_only, int64_t ttl_s) {
    Frame frame;
    if (generation == Generation::V3) {
        frame = {R"({"target":{"token":[)", "]},"};
        ttl_s = std::min(ttl_s, kHarmonyTtlMaxS);
    } else {
        frame = {std::string("{") + (check_only ? R"("validate_only":true,)" : "") + R"("message":{"token":[)", "],"};
    }
    const std::string_view members = payload.substr(layout.members.at, layout.members.n);
    if (layout.fills_ttl()) {
        const size_t at = layout.ttl_at - layout.members.at;
        frame.tail.append(members.substr(0, at)).append(layout.before_ttl).append(std::to_string(ttl_s));
        frame.tail.append(layout.after_ttl).append(members.substr(at));
    } else {
        frame.tail.append(members);
    }
    frame.tail += generation == Generation::V3 ? "}" : "}}";
    return frame;
}

void emit_topic_plan(const Layout& layout, const belfry_content& content, const std::string& path, int32_t endpoint,
                     const belfry::Emit<belfry_plan>& emit) {
    belfry::Plan plan(endpoint, 0);
    plan.answer_max(kAnswerMax).keep("retry-after");
    plan.path().text(path);
    plan.header("content-type").text("application/json; charset=utf-8");
    const char* check = (content.flags & BELFRY_CONTENT_DRY_RUN) != 0 ? R"("validate_only":true,)" : "";
    const char* target = content.kind == BELFRY_CONTENT_TOPIC ? "topic" : "condition";
    const uint32_t end = layout.members.at + layout.members.n;
    const uint32_t ttl_at = layout.fills_ttl() ? layout.ttl_at : end;
    belfry::Plan::Pieces& body = plan.body();
    body.text(std::string("{") + check + "\"message\":{\"" + target + "\":\"").target_json().text("\",");
    body.payload(layout.members.at, ttl_at);
    if (layout.fills_ttl()) body.text(layout.before_ttl).ttl_s().text(layout.after_ttl).payload(ttl_at, end);
    body.text("}}");
    plan.emit(emit);
}

}  // namespace hms
