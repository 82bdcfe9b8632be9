// SPDX-License-Identifier: Apache-2.0
#include "message.h"

#include <algorithm>

#include "answers/json.h"
#include "base64url.h"

namespace webpush {
namespace {

using answers::Json;
using belfry::Refused;

constexpr size_t kTopicChars = 24;  // of the 32 that RFC 8030 allows: Apple wants a length that base64 can have

[[noreturn]] void wrong(const std::string& where, const std::string& what) {
    throw Refused(BELFRY_BAD_REQUEST, where, what);
}

void check_members(const Json& json) {
    const belfry_json_value whole = json.find("");
    if (whole.type != BELFRY_JSON_OBJECT) wrong("", R"(must be an object: {"payload": ..., "ttl": 3600})");
    json.each(whole, [&](const belfry_json_entry& entry) {
        const std::string key = json.string(entry.key);
        if (key != "payload" && key != "ttl" && key != "urgency" && key != "topic")
            wrong(key, "unknown: there are payload, ttl, urgency and topic");
    });
}

std::string text_of(const Json& json, bool final_size) {
    const belfry_json_value payload = json.find("payload");
    if (payload.type == 0) wrong("payload", "missing: a text, or any JSON, for the page's service worker");
    std::string text = payload.type == BELFRY_JSON_STRING ? json.string(payload) : std::string(json.raw(payload));
    if (final_size && text.size() > kTextMax) {
        throw Refused(BELFRY_TOO_LARGE, "payload",
                      std::to_string(text.size()) + " bytes, push services take " + std::to_string(kTextMax));
    }
    return text;
}

int64_t ttl_of(const Json& json) {
    if (json.find("ttl").type == 0) return kTtlDefault;
    const std::optional<int64_t> ttl = json.services.json_int(json.text, "ttl");
    if (!ttl || *ttl < 0) wrong("ttl", "must be a number of seconds, 0 for now or never");
    return std::min(*ttl, kTtlMax);
}

std::string urgency_line(const Json& json) {
    if (json.find("urgency").type == 0) return {};
    const std::string urgency = json.string("urgency");
    if (urgency != "very-low" && urgency != "low" && urgency != "normal" && urgency != "high")
        wrong("urgency", "must be very-low, low, normal or high");
    return "urgency: " + urgency + "\n";
}

// Callers name topics as they like; services take few characters and Apple even fewer. The same topic is always the
// same value.
std::string topic_line(const Json& json) {
    if (json.find("topic").type == 0) return {};
    const std::string topic = json.string("topic");
    if (topic.empty()) wrong("topic", "must be a text that is not empty");
    const std::array<uint8_t, 32> digest = json.services.sha256(topic);
    const std::string bytes(digest.begin(), digest.end());
    return "topic: " + base64url(bytes).substr(0, kTopicChars) + "\n";
}

}  // namespace

Message read_message(const belfry::Services& services, std::string_view payload, bool final_size) {
    services.json_check(payload);
    const Json json{services, payload};
    check_members(json);
    Message message;
    message.text = text_of(json, final_size);
    message.ttl_s = ttl_of(json);
    message.fixed_headers = urgency_line(json) + topic_line(json);
    return message;
}

}  // namespace webpush
