// SPDX-License-Identifier: Apache-2.0
#include "result.h"

#include <charconv>

#include "answers/json.h"

namespace hms {
namespace {

using answers::Json;

constexpr size_t kRequestIdMax = 64;
// Huawei's own codes have eight digits. What is less comes from a proxy or gateway, and may look like an HTTP status.
constexpr int64_t kCodeMin = 10'000'000, kCodeMax = 99'999'999;

// A number, or a text of digits: Huawei writes both. -1: neither.
int64_t number_at(const Json& json, std::string_view path) {
    const belfry_json_value value = json.find(path);
    const bool is_text = value.type == BELFRY_JSON_STRING;
    if (!is_text && value.type != BELFRY_JSON_NUMBER) return -1;
    const std::string text = is_text ? json.string(value) : std::string(json.raw(value));
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() && number >= 0 ? number : -1;
}

// Huawei's own sample has blanks around its words.
std::string trimmed(const std::string& text) {
    const size_t from = text.find_first_not_of(' ');
    return from == std::string::npos ? "" : text.substr(from, text.find_last_not_of(' ') - from + 1);
}

void read_tokens(const Json& msg, Result& result) {
    result.by_token = true;
    result.success = number_at(msg, "success");
    result.failure = number_at(msg, "failure");
    const auto add = [&](const Json& tokens, const std::string& word) {
        tokens.each(tokens.find(""),
                    [&](const belfry_json_entry& entry) { result.illegal[tokens.string(entry.value)] = word; });
    };
    if (const belfry_json_value list = msg.find("illegal_tokens"); list.type == BELFRY_JSON_ARRAY)
        add(msg.at(list), "");
    msg.each(msg.find("illegalTokens"),
             [&](const belfry_json_entry& entry) { add(msg.at(entry.value), trimmed(msg.string(entry.key))); });
}

}  // namespace

std::string printable(std::string_view text, size_t most) {
    std::string out;
    for (const char c : text.substr(0, most)) out.push_back(c >= 0x20 && c < 0x7F ? c : ' ');
    return out;
}

Result read_result(const belfry::Services& services, std::string_view body) {
    Result result;
    const Json json = Json::of(services, body);  // not HTML, empty or cut
    const int64_t code = number_at(json, "code");
    if (code < kCodeMin || code > kCodeMax) return result;
    result.code = static_cast<uint32_t>(code);
    result.request_id = printable(json.string("requestId"), kRequestIdMax);
    const belfry_json_value msg = json.find("msg");
    if (msg.type == BELFRY_JSON_OBJECT) {
        read_tokens(json.at(msg), result);
        return result;
    }
    result.text = json.string(msg);
    if (!result.text.starts_with('{')) return result;
    const Json inside = Json::of(services, result.text);
    if (inside.find("").type == BELFRY_JSON_OBJECT) read_tokens(inside, result);
    return result;
}

}  // namespace hms
