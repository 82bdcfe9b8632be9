// SPDX-License-Identifier: Apache-2.0
#include "result.h"

#include <belfry/json.hpp>

namespace hms {
namespace {

using belfry::Json;

constexpr size_t kRequestIdMax = 64;
// Huawei's own codes have eight digits. What is less comes from a proxy or gateway, and may look like an HTTP status.
constexpr int64_t kCodeMin = 10'000'000, kCodeMax = 99'999'999;

// Huawei's own sample has blanks around its words.
std::string trimmed(const std::string& text) {
    const size_t from = text.find_first_not_of(' ');
    return from == std::string::npos ? "" : text.substr(from, text.find_last_not_of(' ') - from + 1);
}

void read_tokens(const Json& msg, Result& result) {
    result.by_token = true;
    result.success = msg.number("success").value_or(-1);
    result.failure = msg.number("failure").value_or(-1);
    const auto add = [&](const Json& tokens, const std::string& word) {
        tokens.each("", [&](const belfry_json_entry& entry) { result.illegal[tokens.string(entry.value)] = word; });
    };
    if (msg.find("illegal_tokens").type == BELFRY_JSON_ARRAY) add(msg.at("illegal_tokens"), "");
    msg.each("illegalTokens",
             [&](const belfry_json_entry& entry) { add(msg.at(entry.value), trimmed(msg.string(entry.key))); });
}

}  // namespace

Result read_result(const belfry::Services& services, std::string_view body) {
    Result result;
    const Json json = Json::of(services, body);  // not HTML, empty or cut
    const int64_t code = json.number("code").value_or(0);
    if (code < kCodeMin || code > kCodeMax) return result;
    result.code = static_cast<uint32_t>(code);
    result.request_id = belfry::printable(json.string("requestId"), kRequestIdMax);
    result.text = json.string("msg");
    const Json msg = Json::of(services, json.is_object("msg") ? json.at("msg").text : std::string_view(result.text));
    if (msg.is_object()) read_tokens(msg, result);
    return result;
}

}  // namespace hms
