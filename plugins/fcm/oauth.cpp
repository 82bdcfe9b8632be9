// SPDX-License-Identifier: Apache-2.0
#include "oauth.h"

#include <algorithm>
#include <charconv>

#include "answers/json.h"
#include "answers/retry_after.h"

namespace fcm {
namespace {

using answers::Json;
using belfry::Refused;

constexpr int64_t kBackdateS = 20;     // so that a clock slightly ahead is no error
constexpr int64_t kAssertionS = 3600;  // the longest that is accepted
constexpr int64_t kRefreshEarlyMs = 300'000;
constexpr int64_t kNotAgainMs = 10'000;
constexpr int64_t kSkewWorthTellingS = 5;

std::string make_assertion(const belfry::Services& services, const Account& account) {
    const auto quoted = [&](std::string_view text) { return "\"" + services.json_escape(text) + "\""; };
    const int64_t issued = services.unix_ms() / 1000 - kBackdateS;
    std::string header = R"({"typ":"JWT")";
    if (!account.private_key_id.empty()) header += ",\"kid\":" + quoted(account.private_key_id);
    const std::string claims = "{\"iss\":" + quoted(account.client_email) + ",\"scope\":" + quoted(account.scope) +
                               ",\"aud\":" + quoted(account.token_uri) + ",\"iat\":" + std::to_string(issued) +
                               ",\"exp\":" + std::to_string(issued + kAssertionS) + "}";
    try {
        return services.jwt_sign(BELFRY_JWT_RS256, account.private_key, header + "}", claims);
    } catch (const Refused& refused) {
        throw Refused(BELFRY_CONFIG, "credentials.private_key",
                      std::string(refused.what()) + "; download the key file again");
    }
}

// Seconds as a number or a string of digits; one hour if the answer does not say.
int64_t expires_in(const Json& json) {
    const belfry_json_value value = json.find("expires_in");
    if (value.type == 0) return kAssertionS;
    const std::string text = value.type == BELFRY_JSON_STRING ? json.string(value) : std::string(json.raw(value));
    int64_t seconds = 0;
    std::from_chars(text.data(), text.data() + text.size(), seconds);
    return std::clamp<int64_t>(seconds, 0, 24 * 3600);
}

// The window error has two causes only; the answer's Date tells them apart.
std::string explain_window(int64_t date_unix_ms, int64_t now_unix_ms) {
    const std::string text = "the token endpoint refuses the assertion's times";
    if (date_unix_ms == 0) return text + " and sends no Date: compare this host's clock with another one";
    const int64_t skew_s = (now_unix_ms - date_unix_ms) / 1000;
    if (std::abs(skew_s) < kSkewWorthTellingS) return text + " although the clocks agree";
    return text + ": this host's clock is " + std::to_string(std::abs(skew_s)) + " s " +
           (skew_s > 0 ? "ahead" : "behind") + "; set it (NTP)";
}

// Errors of RFC 6749, 5.2 and of Google's endpoint by their class; unknown ones are the operator's as well.
[[noreturn]] void refuse(const Json& json, const belfry::HttpAnswer& answer) {
    const std::string error = json.string("error"), description = json.string("error_description");
    const std::string status = "HTTP " + std::to_string(answer.status), text = error + ": " + description;
    const auto says = [&](std::string_view part) { return description.find(part) != std::string::npos; };
    const bool passes = answer.status >= 500 || answer.status == 429 || answer.status == 408;
    const int64_t now = json.services.unix_ms();
    if (passes || error == "internal_failure" || says("internal_failure")) {
        const auto named = std::find_if(answer.headers.begin(), answer.headers.end(),
                                        [](const auto& header) { return header.first == "retry-after"; });
        const std::string_view value = named == answer.headers.end() ? std::string_view() : named->second;
        const int64_t wait_ms = answers::retry_after_ms(value, answer.date_unix_ms, now).value_or(0);
        throw Refused(BELFRY_RETRY_LATER, "token_endpoint", status + " " + error, static_cast<uint32_t>(wait_ms));
    }
    if (error.empty()) {
        throw Refused(BELFRY_CONFIG, "token_endpoint", status + " and no OAuth error: this is no token endpoint");
    }
    if (says("reasonable timeframe") || says("short-lived token")) {
        throw Refused(BELFRY_AUTH, "clock", explain_window(answer.date_unix_ms, now));
    }
    if (error == "invalid_scope") throw Refused(BELFRY_CONFIG, "scope", text);
    if (says("audience")) throw Refused(BELFRY_CONFIG, "credentials.token_uri", text);
    if (error == "invalid_request") throw Refused(BELFRY_CONFIG, "credentials", text + "; is the key file intact?");
    throw Refused(BELFRY_AUTH, "credentials",
                  text + "; the key was revoked or its account removed: configure a new key file");
}

}  // namespace

belfry::HttpRequest token_request(const belfry::Services& services, const Account& account) {
    // The alphabet of compact JWTs needs no percent-encoding.
    constexpr std::string_view kGrant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    belfry::HttpRequest request;
    request.method = "POST";
    request.path = account.token_path;
    request.headers = {{"content-type", "application/x-www-form-urlencoded"}, {"accept", "application/json"}};
    request.body = std::string(kGrant) + make_assertion(services, account);
    return request;
}

belfry_credential read_token(const belfry::Services& services, const Account& account, const belfry::HttpAnswer& answer,
                             std::string& value) {
    const Json json = Json::of(services, answer.body);
    if (answer.status != 200) refuse(json, answer);
    const std::string token = json.string("access_token");
    if (token.empty() && json.find("id_token").type != 0) {
        throw Refused(BELFRY_CONFIG, "scope",
                      "the token endpoint gave an id token only: it does not know the scope \"" + account.scope + "\"");
    }
    const auto printable = [](char c) { return c > ' ' && c < 0x7F; };
    const int64_t valid_ms = expires_in(json) * 1000;
    if (token.empty() || !std::all_of(token.begin(), token.end(), printable) || valid_ms == 0) {
        throw Refused(BELFRY_RETRY_LATER, "token_endpoint", "answered 200 without a usable access token");
    }
    value = "Bearer " + token;
    auto credential = belfry::sized<belfry_credential>();
    credential.value = belfry::str(std::string_view(value));
    credential.valid_ms = valid_ms;
    credential.refresh_after_ms = std::max(valid_ms - kRefreshEarlyMs, valid_ms / 2);
    credential.not_again_before_ms = std::min(kNotAgainMs, valid_ms / 2);
    return credential;
}

}  // namespace fcm
