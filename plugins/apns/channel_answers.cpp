// SPDX-License-Identifier: Apache-2.0
#include "channel_answers.h"

#include <algorithm>
#include <belfry/http.hpp>

#include "channel_reasons.h"

namespace apns {
namespace {

using belfry::Refused;

constexpr size_t kQuotedMax = 100;  // bytes of an unknown reason
constexpr ChannelRule kNotAnAnswer = {0, 0, "", BELFRY_CONFIG, About::Nothing, 0, kNotApns};

const ChannelRule& rule_for(int32_t status, std::string_view reason) {
    for (const ChannelRule& rule : kChannelRules) {
        const bool fits = status >= rule.from && status <= rule.to;
        if (fits && (rule.reason.empty() || rule.reason == reason)) return rule;
    }
    return kNotAnAnswer;
}

// Members of belfry_channel_call.
const char* name_of(About about) {
    switch (about) {
        case About::Topic:
            return "topic";
        case About::Id:
            return "id";
        case About::PushType:
            return "push_type";
        case About::Nothing:
            break;
    }
    return "";
}

[[noreturn]] void not_apns() {
    throw Refused(BELFRY_CONFIG, "", std::string(kNotApns));
}

}  // namespace

bool is_channel_id(std::string_view text) {
    return !text.empty() && text.size() <= kChannelIdMax && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
               c == '-' || c == '_' || c == '=';
    });
}

std::string ChannelReader::reason(const ChannelAnswer& answer) const {
    return belfry::Json::of(services_, answer.body).string("reason");
}

void ChannelReader::accept(const ChannelAnswer& answer) const {
    if (answer.status >= 200 && answer.status <= 204) return;
    const std::string said = reason(answer);
    const ChannelRule& rule = rule_for(answer.status, said);
    std::string text = belfry::printable(said, kQuotedMax);
    if (text.empty()) text = "HTTP " + std::to_string(answer.status);
    text.append(": ").append(rule.advice);
    const bool ours = rule.about == About::Topic && topic_is_ours_ && rule.code == BELFRY_BAD_REQUEST;
    const auto hint = belfry::retry_after_ms(answer.retry_after, answer.date_unix_ms, services_.unix_ms());
    const bool passes = rule.wait_ms != 0;
    throw Refused(ours ? BELFRY_CONFIG : rule.code, name_of(rule.about), text,
                  passes ? static_cast<uint32_t>(hint.value_or(rule.wait_ms)) : 0);
}

std::string_view ChannelReader::object_in(const ChannelAnswer& answer) const {
    const belfry::Json json = belfry::Json::of(services_, answer.body);
    if (!json.is_object()) not_apns();
    return json.text;
}

std::string ChannelReader::created(const ChannelAnswer& answer) const {
    accept(answer);
    if (!is_channel_id(answer.channel_id)) not_apns();
    return std::string(answer.channel_id);
}

belfry::Channel ChannelReader::read(const ChannelAnswer& answer, std::string_view id) const {
    accept(answer);
    const std::string_view body = object_in(answer);
    const auto policy = services_.json_int(body, "message-storage-policy");
    if (!policy) not_apns();
    std::string push_type = services_.json_text(body, "push-type").value_or("");
    return {std::string(id), belfry::printable(push_type, kQuotedMax), *policy != 0};
}

std::vector<belfry::Channel> ChannelReader::listed(const ChannelAnswer& answer) const {
    accept(answer);
    const belfry::Json json{services_, object_in(answer)};
    const belfry_json_value list = json.find("channels");
    if (list.type != BELFRY_JSON_ARRAY) not_apns();
    std::vector<belfry::Channel> channels;
    json.each(list, [&](const belfry_json_entry& entry) {
        std::string id = json.string(entry.value);
        if (!is_channel_id(id)) not_apns();
        channels.push_back({std::move(id), {}, false});
    });
    return channels;
}

}  // namespace apns
