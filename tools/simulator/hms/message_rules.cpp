// SPDX-License-Identifier: Apache-2.0
#include "hms/message_rules.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "fcm/errors.h"

namespace belfry::simulator {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kBodyMax = 4096, kTokensMax = 1000, kTestTokensMax = 10, kTagMax = 64;
constexpr std::int64_t kTtlMaxS = 1'296'000;
constexpr int kParameter = 80100001, kStructure = 80100003, kTtl = 80100004, kCollapseKey = 80100013,
              kTooBig = 80300008, kTokenCount = 80300010, kHighPriority = 80300011, kTestTokens = 80300030;
constexpr std::array<std::string_view, 7> kPushTypes{"0", "1", "2", "6", "7", "10", "11"};

// Thrown and caught in this file only: the rules are too many for a result each.
struct Refusal {
    int code;
    std::string why;
};
[[noreturn]] void refuse(int code, std::string why) {
    throw Refusal{code, std::move(why)};
}

const Json* get(const Json& object, const char* name) {
    if (!object.is_object()) return nullptr;
    const auto found = object.find(name);
    return found == object.end() || found->is_null() ? nullptr : &*found;
}
const Json* get_object(const Json& object, const char* name) {
    const Json* found = get(object, name);
    if (found != nullptr && !found->is_object()) refuse(kStructure, std::string(name) + " must be an object");
    return found;
}
std::string text_at(const Json& object, const char* name) {
    const Json* found = get(object, name);
    if (found != nullptr && !found->is_string()) refuse(kStructure, std::string(name) + " must be a string");
    return found == nullptr ? std::string() : found->get<std::string>();
}
std::int64_t integer_at(const Json& object, const char* name, std::int64_t fallback, int code) {
    const Json* found = get(object, name);
    if (found == nullptr) return fallback;
    if (!found->is_number_integer()) refuse(code, std::string(name) + " must be an integer");
    return found->get<std::int64_t>();
}

void read_tokens(const Json* list, HmsMessage& message) {
    if (list == nullptr) return;
    if (!list->is_array()) refuse(kTokenCount, "token must be a list");
    for (const Json& token : *list) {
        if (!token.is_string()) refuse(kTokenCount, "token must be a list of strings");
        message.tokens.push_back(token.get<std::string>());
    }
    if (message.tokens.empty() || message.tokens.size() > kTokensMax)
        refuse(kTokenCount, "Number of tokens in the message body exceeds the default value");
}

// Commas and quotes between tokens belong to them.
void check_size(const std::string& body, const HmsMessage& message) {
    std::size_t tokens = message.tokens.empty() ? 0 : message.tokens.size() - 1;
    for (const std::string& token : message.tokens) tokens += json_string(token).size();
    if (body.size() - std::min(tokens, body.size()) > kBodyMax)
        refuse(kTooBig, "The length of the message body exceeds the default value (4096 bytes)");
}

// "86400s", "1.5", "10S": at most nine decimals.
void check_ttl(const std::string& ttl) {
    std::string digits = ttl;
    if (!digits.empty() && (digits.back() == 's' || digits.back() == 'S')) digits.pop_back();
    const auto dot = std::min(digits.find('.'), digits.size());
    const std::string whole = digits.substr(0, dot), part = dot < digits.size() ? digits.substr(dot + 1) : "0";
    const auto number = [](const std::string& text) {
        return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    };
    if (!number(whole) || !number(part) || part.size() > 9 || whole.size() > 10) refuse(kParameter, "ttl is malformed");
    if (std::stoll(whole) <= 0 && part.find_first_not_of('0') == std::string::npos) refuse(kTtl, "ttl is over");
}

void check_notification(const Json& shown, const Json* common) {
    const auto has = [&](const char* name) {
        return !text_at(shown, name).empty() || (common != nullptr && !text_at(*common, name).empty());
    };
    if (!has("title") || !has("body")) refuse(kStructure, "title and body are required");
    const Json* action = get_object(shown, "click_action");
    if (action == nullptr) refuse(kStructure, "click_action is required");
    const std::int64_t type = integer_at(*action, "type", 0, kStructure);
    if (type < 1 || type > 4) refuse(kStructure, "click_action.type must be 1 to 4");
    if (type == 1 && text_at(*action, "intent").empty() && text_at(*action, "action").empty())
        refuse(kStructure, "click_action needs intent or action");
    if (type == 2 && !text_at(*action, "url").starts_with("https"))
        refuse(kStructure, "click_action.url must be https");
    const std::int64_t style = integer_at(shown, "style", 0, kStructure);
    if (style == 1 && (text_at(shown, "big_title").empty() || text_at(shown, "big_body").empty()))
        refuse(kStructure, "style 1 needs big_title and big_body");
    const Json* inbox = get(shown, "inbox_content");
    if (style == 3 && (inbox == nullptr || !inbox->is_array() || inbox->empty() || inbox->size() > 5))
        refuse(kStructure, "style 3 needs 1 to 5 lines of inbox_content");
    if (const std::string image = text_at(shown, "image"); !image.empty() && !image.starts_with("https"))
        refuse(kStructure, "image must be https");
    if (text_at(shown, "importance") == "HIGH")
        refuse(kHighPriority, "the app has no right to send with high priority");
    if (const Json* badge = get_object(shown, "badge")) {
        const std::int64_t add = integer_at(*badge, "add_num", 1, kStructure);
        if (add < 1 || add > 99) refuse(kStructure, "badge.add_num must be 1 to 99");
    }
}

void check_android(const Json& sent) {
    const Json* common = get_object(sent, "notification");
    const Json* android = get_object(sent, "android");
    text_at(sent, "data");
    const Json* shown = android == nullptr ? nullptr : get_object(*android, "notification");
    const bool elsewhere = get(sent, "apns") != nullptr || get(sent, "webpush") != nullptr;
    if (shown != nullptr || (common != nullptr && !elsewhere)) {
        static const Json kNothing = Json::object();
        check_notification(shown == nullptr ? kNothing : *shown, common);
    } else if (text_at(sent, "data").empty() && (android == nullptr || text_at(*android, "data").empty()) &&
               !elsewhere) {
        refuse(kStructure, "there is neither data nor a notification");
    }
    if (android == nullptr) return;
    const std::int64_t key = integer_at(*android, "collapse_key", -1, kCollapseKey);
    if (key < -1 || key > 100) refuse(kCollapseKey, "collapse_key must be -1 to 100");
    const std::string urgency = text_at(*android, "urgency");
    if (!urgency.empty() && urgency != "HIGH" && urgency != "NORMAL")
        refuse(kParameter, "urgency must be HIGH or NORMAL");
    if (const std::string ttl = text_at(*android, "ttl"); get(*android, "ttl") != nullptr) check_ttl(ttl);
}

bool is_marketing(const Json* holder) {
    return holder != nullptr && text_at(*holder, "category") == "MARKETING";
}

void read_classic(const std::string& body, HmsMessage& message) {
    Json json = Json::parse(body, nullptr, false);
    if (!json.is_object()) refuse(kStructure, "the body is no JSON object");
    const Json* sent = get(json, "message");
    if (sent == nullptr || !sent->is_object()) refuse(kTokenCount, "message is missing");
    read_tokens(get(*sent, "token"), message);
    message.topic = text_at(*sent, "topic");
    message.condition = text_at(*sent, "condition");
    const int recipients = !message.tokens.empty() + !message.topic.empty() + !message.condition.empty();
    if (recipients == 0) refuse(kTokenCount, "token, topic or condition is missing");
    if (recipients > 1) refuse(kParameter, "only one of token, topic and condition");
    if (const Json* check = get(json, "validate_only")) {
        if (!check->is_boolean()) refuse(kParameter, "validate_only must be true or false");
        message.validate_only = check->get<bool>();
    }
    check_size(body, message);
    check_android(*sent);
    message.marketing = is_marketing(get(*sent, "android"));
    json["message"].erase("token");
    message.kept = json.dump();
}

void check_alert(const Json& payload) {
    const Json* shown = get_object(payload, "notification");
    if (shown == nullptr) refuse(kStructure, "Illegal payload, notification is required");
    if (text_at(*shown, "title").empty() || text_at(*shown, "body").empty())
        refuse(kStructure, "Illegal payload, title and body are required");
    const Json* action = get_object(*shown, "clickAction");
    if (action == nullptr || get(*action, "actionType") == nullptr)
        refuse(kStructure, "Illegal payload, clickAction is required");
    const std::int64_t type = integer_at(*action, "actionType", 0, kStructure);
    if (type != 0 && type != 1) refuse(kStructure, "Illegal payload, actionType must be 0 or 1");
    if (const Json* badge = get_object(*shown, "badge")) {
        const std::int64_t add = integer_at(*badge, "addNum", 1, kStructure);
        if (add < 1 || add > 99) refuse(kStructure, "Illegal payload, addNum must be 1 to 99");
    }
}

void check_options(const Json& options, const HmsMessage& message, bool form) {
    const Json* test = get(options, "testMessage");
    if (test != nullptr && !test->is_boolean()) refuse(kParameter, "testMessage must be true or false");
    const std::size_t most = form ? 1 : kTestTokensMax;
    if (test != nullptr && test->get<bool>() && message.tokens.size() > most)
        refuse(kTestTokens, "a test message has at most 10 tokens");
    const std::int64_t ttl = integer_at(options, "ttl", kTtlMaxS, kTtl);
    if (ttl < 1 || ttl > kTtlMaxS) refuse(kTtl, "Illegal expire time.");
    if (text_at(options, "biTag").size() > kTagMax) refuse(kParameter, "biTag is longer than 64 bytes");
}

void read_harmony(const std::string& body, std::string_view push_type, HmsMessage& message) {
    if (std::find(kPushTypes.begin(), kPushTypes.end(), push_type) == kPushTypes.end())
        refuse(kParameter, "push-type is missing or unknown");
    Json json = Json::parse(body, nullptr, false);
    if (!json.is_object()) refuse(kStructure, "the body is no JSON object");
    const Json* target = get_object(json, "target");
    if (target == nullptr || get(*target, "token") == nullptr) refuse(kTokenCount, "target.token is missing");
    read_tokens(get(*target, "token"), message);
    const bool form = push_type == "1";
    if (form && message.tokens.size() > 1) refuse(kTokenCount, "the token count must be 1...1");
    check_size(body, message);
    const Json* payload = get_object(json, "payload");
    if (payload == nullptr) refuse(kStructure, "Illegal payload, it is missing");
    if (push_type == "0") check_alert(*payload);
    message.marketing = is_marketing(get_object(*payload, "notification"));
    if (push_type == "6" && text_at(*payload, "extraData").empty())
        refuse(kStructure, "Illegal payload, extraData is required");
    if (const Json* options = get_object(json, "pushOptions")) check_options(*options, message, form);
    json.erase("target");
    message.kept = json.dump();
}

template <typename Read>
HmsMessage guarded(Read&& read) {
    HmsMessage message;
    try {
        read(message);
    } catch (const Refusal& refusal) {
        message.code = refusal.code;
        message.why = refusal.why;
    }
    return message;
}

}  // namespace

HmsMessage read_hms_message(const std::string& body) {
    return guarded([&](HmsMessage& message) { read_classic(body, message); });
}

HmsMessage read_harmony_message(const std::string& body, std::string_view push_type) {
    return guarded([&](HmsMessage& message) { read_harmony(body, push_type, message); });
}

}  // namespace belfry::simulator
