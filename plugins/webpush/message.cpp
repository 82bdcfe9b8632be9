// SPDX-License-Identifier: Apache-2.0
#include "message.h"

#include <algorithm>
#include <array>
#include <belfry/json.hpp>
#include <map>
#include <optional>

namespace webpush {
namespace {

using belfry::Json;
using belfry::Refused;

constexpr size_t kTopicChars = 24;  // of the 32 that RFC 8030 allows: Apple wants a length that base64 can have

[[noreturn]] void wrong(const std::string& where, const std::string& what) {
    throw Refused(BELFRY_BAD_REQUEST, where, what);
}

// What RFC 8030 lets the sender choose, by the lower-case name of its header.
constexpr std::array<std::string_view, 3> kOptions = {"ttl", "urgency", "topic"};

bool is_option(std::string_view name) {
    return std::find(kOptions.begin(), kOptions.end(), name) != kOptions.end();
}

struct Option {
    std::string where;  // the place in the payload
    std::string value;  // a number as its digits
};
using Options = std::map<std::string, Option, std::less<>>;

void add(Options& options, const std::string& name, Option option) {
    const auto [found, is_new] = options.emplace(name, option);
    if (!is_new) wrong(option.where, "given twice: " + found->second.where + " says it too");
}

// As Centrifugo's callers write them: {"TTL": "60"}, in any case.
void read_headers(const Json& json, belfry_json_value headers, Options& options) {
    if (headers.type != BELFRY_JSON_OBJECT) wrong("headers", R"(must be an object of texts: {"TTL": "3600"})");
    json.each(headers, [&](const belfry_json_entry& entry) {
        const std::string where = "headers." + json.string(entry.key);
        const std::string name = belfry::lower(json.string(entry.key));
        if (!is_option(name)) wrong(where, "unknown: TTL, Urgency and Topic can be chosen");
        if (entry.value.type != BELFRY_JSON_STRING) wrong(where, "must be a text");
        add(options, name, {where, json.string(entry.value)});
    });
}

Options read_options(const Json& json) {
    if (!json.is_object()) wrong("", R"(must be an object: {"payload": ..., "ttl": 3600})");
    Options options;
    json.each("", [&](const belfry_json_entry& entry) {
        const std::string key = json.string(entry.key);
        if (key == "payload") return;
        if (key == "headers") return read_headers(json, entry.value, options);
        if (!is_option(key)) wrong(key, "unknown: there are payload, headers, ttl, urgency and topic");
        const int wanted = key == "ttl" ? BELFRY_JSON_NUMBER : BELFRY_JSON_STRING;
        if (static_cast<int>(entry.value.type) != wanted) {
            wrong(key, key == "ttl" ? "must be a number of seconds, 0 for now or never" : "must be a text");
        }
        add(options, key, {key, key == "ttl" ? std::string(json.raw(entry.value)) : json.string(entry.value)});
    });
    return options;
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

int64_t ttl_of(const Options& options) {
    const auto given = options.find("ttl");
    if (given == options.end()) return kTtlDefault;
    const std::string& digits = given->second.value;
    if (!belfry::is_digits(digits)) wrong(given->second.where, "must be a number of seconds, 0 for now or never");
    // Ten digits are beyond what any service keeps, and within 64 bits.
    return digits.size() >= 10 ? kTtlMax : std::min<int64_t>(std::stoll(digits), kTtlMax);
}

std::string urgency_line(const Options& options) {
    const auto given = options.find("urgency");
    if (given == options.end()) return {};
    const std::string& urgency = given->second.value;
    if (urgency != "very-low" && urgency != "low" && urgency != "normal" && urgency != "high")
        wrong(given->second.where, "must be very-low, low, normal or high");
    return "urgency: " + urgency + "\n";
}

// Callers name topics as they like; services take few characters and Apple even fewer. The same topic is always the
// same value.
std::string topic_line(const Json& json, const Options& options) {
    const auto given = options.find("topic");
    if (given == options.end()) return {};
    if (given->second.value.empty()) wrong(given->second.where, "must be a text that is not empty");
    const std::array<uint8_t, 32> digest = json.services.sha256(given->second.value);
    const std::string bytes(digest.begin(), digest.end());
    return "topic: " + belfry::base64url(bytes).substr(0, kTopicChars) + "\n";
}

}  // namespace

Message read_message(const belfry::Services& services, std::string_view payload, bool final_size) {
    const Json json = Json::checked(services, payload);
    const Options options = read_options(json);
    Message message;
    message.text = text_of(json, final_size);
    message.ttl_s = ttl_of(options);
    message.fixed_headers = urgency_line(options) + topic_line(json, options);
    return message;
}

std::optional<int64_t> ttl_left_s(const belfry_item& item, int64_t ttl_s, int64_t now_unix_ms) {
    const bool expires = item.expires_unix_ms != 0;
    if (expires && now_unix_ms >= item.expires_unix_ms) return std::nullopt;
    int64_t left_s = ttl_s;
    if (ttl_s == 0) {
        if (item.attempt > 1) return std::nullopt;
    } else if (item.started_unix_ms != 0) {
        // Whole seconds that passed; another machine's clock may be behind the one that noted the start.
        left_s -= std::max<int64_t>(0, now_unix_ms - item.started_unix_ms) / 1000;
        if (left_s <= 0) return std::nullopt;
    }
    return expires ? std::min(left_s, (item.expires_unix_ms - now_unix_ms) / 1000) : left_s;
}

}  // namespace webpush
