// SPDX-License-Identifier: Apache-2.0
#include "hms/replies.h"

#include <nlohmann/json.hpp>

#include "fcm/errors.h"

namespace belfry::simulator {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kSuccess = 80000000, kPartly = 80100000, kAllBad = 80300007;

int http_status(const Settings& settings, int code) {
    if (code == kSuccess || code == kPartly || code == kAllBad) return 200;
    if (code / 100'000 == 802) return static_cast<int>(settings.hms_auth_status);
    if (code / 100'000 == 810) return 500;
    return static_cast<int>(settings.hms_refusal_status);
}

Reply reply(const Settings& settings, int code, const Json& msg, std::string_view request_id) {
    Json json = Json::object();
    json["code"] = settings.hms_numbers ? Json(code) : Json(std::to_string(code));
    json["msg"] = msg;
    json["requestId"] = request_id;
    return json_reply(http_status(settings, code), json.dump());
}

}  // namespace

Reply hms_reply(const Settings& settings, int code, std::string_view msg, std::string_view request_id) {
    return reply(settings, code, Json(msg), request_id);
}

Reply hms_bad_tokens(const Settings& settings, bool harmony, std::size_t success,
                     const std::map<std::string, std::vector<std::string>>& by_word, std::string_view request_id) {
    if (success == 0 && !harmony) return reply(settings, kAllBad, "All the tokens are invalid", request_id);
    std::size_t failure = 0;
    Json all = Json::array(), words = Json::object();
    for (const auto& [word, tokens] : by_word) {
        failure += tokens.size();
        for (const std::string& token : tokens) all.push_back(token);
        words[settings.hms_blanks ? " " + word + " " : word] = tokens;
    }
    Json msg = Json::object();
    if (success > 0) msg["success"] = success;
    msg["failure"] = failure;
    if (harmony) {
        msg["illegalTokens"] = words;
    } else {
        msg["illegal_tokens"] = all;
    }
    return reply(settings, success > 0 ? kPartly : kAllBad, settings.hms_objects ? msg : Json(msg.dump()), request_id);
}

}  // namespace belfry::simulator
