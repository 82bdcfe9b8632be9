// SPDX-License-Identifier: Apache-2.0
#include "credential.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "answers/json.h"
#include "answers/retry_after.h"

namespace hms {
namespace {

using answers::Json;
using belfry::Refused;

constexpr int64_t kSignedS = 3600;
constexpr int64_t kBackdateS = 20;  // so that a clock slightly ahead is no error
constexpr int64_t kRefreshEarlyMs = 300'000, kRefreshEarlyLeastMs = 10'000;
constexpr int64_t kNotAgainMs = 10'000;
constexpr uint32_t kRateLimitedMs = 60'000;
constexpr size_t kQuotedMax = 200;  // bytes of Huawei's own words
// Whatever token_endpoint says: it is the audience of every token.
constexpr std::string_view kAudience = "https://oauth-login.cloud.huawei.com/oauth2/v3/token";

// The rest of a form value (WHATWG URL, application/x-www-form-urlencoded): secrets hold + / = &.
std::string form_encoded(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
                           c == '.' || c == '_' || c == '~';
        if (plain) {
            out.push_back(c);
        } else {
            out.append({'%', kDigits[byte >> 4], kDigits[byte & 15U]});
        }
    }
    return out;
}

// A number, or a string of digits.
int64_t number_at(const Json& json, std::string_view path) {
    const belfry_json_value value = json.find(path);
    const std::string text = value.type == BELFRY_JSON_STRING ? json.string(value) : std::string(json.raw(value));
    int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

belfry_credential credential_for(int64_t valid_ms) {
    auto credential = belfry::sized<belfry_credential>();
    credential.valid_ms = valid_ms;
    // The host uses no credential in its last seconds, so that short ones are renewed at half-time.
    const int64_t early_ms = std::clamp(valid_ms / 10, std::min(kRefreshEarlyLeastMs, valid_ms / 2), kRefreshEarlyMs);
    credential.refresh_after_ms = valid_ms - early_ms;
    credential.not_again_before_ms = std::min(kNotAgainMs, valid_ms / 2);
    return credential;
}

// Sub codes of the token endpoint (hms.md section 2).
struct SubError {
    int64_t code;
    const char *where, *advice;
};
constexpr SubError kSubErrors[] = {
    {12304, "client_secret", "wrong; copy it from AppGallery Connect, App information"},
    {20002, "client_id", "must be the OAuth client's id: digits"},
    {20003, "client_id", "there is no such OAuth client"},
    {20171, "client_secret", "Huawei saw no secret"},
    {20172, "client_secret", "malformed; copy it from AppGallery Connect again"},
    {20182, "token_endpoint", "Huawei knows no client credentials there"},
};

[[noreturn]] void refuse(const Json& json, const belfry::HttpAnswer& answer) {
    const std::string status = "HTTP " + std::to_string(answer.status);
    if (answer.status >= 500 || answer.status == 429 || answer.status == 408) {
        const auto named = std::find_if(answer.headers.begin(), answer.headers.end(),
                                        [](const auto& header) { return header.first == "retry-after"; });
        const std::string_view value = named == answer.headers.end() ? std::string_view() : named->second;
        const bool limited = answer.status == 503 || answer.status == 429;
        const auto wait = answers::retry_after_ms(value, answer.date_unix_ms, json.services.unix_ms());
        throw Refused(BELFRY_RETRY_LATER, "token_endpoint", status,
                      static_cast<uint32_t>(wait.value_or(limited ? kRateLimitedMs : 0)));
    }
    const int64_t code = number_at(json, "sub_error");
    const std::string says =
        code == 0 ? status
                  : "error " + std::to_string(code) + ": " + json.string("error_description").substr(0, kQuotedMax);
    for (const SubError& known : kSubErrors) {
        if (known.code == code) throw Refused(BELFRY_AUTH, known.where, std::string(known.advice) + "; " + says);
    }
    if (code == 0 && number_at(json, "error") == 0)
        throw Refused(BELFRY_CONFIG, "token_endpoint", status + " and no OAuth error: this is no token endpoint");
    throw Refused(BELFRY_AUTH, "client_secret", says + "; check client_id and client_secret");
}

}  // namespace

belfry::HttpRequest token_request(const Config& config, const Account& account) {
    belfry::HttpRequest request;
    request.method = "POST";
    request.path = config.token_path;
    request.headers = {{"content-type", "application/x-www-form-urlencoded"}, {"accept", "application/json"}};
    request.body = "grant_type=client_credentials&client_id=" + form_encoded(config.client_id) +
                   "&client_secret=" + form_encoded(account.client_secret);
    return request;
}

belfry_credential read_token(const belfry::Services& services, const belfry::HttpAnswer& answer, std::string& value) {
    const Json json = Json::of(services, answer.body);
    if (answer.status != 200) refuse(json, answer);
    const std::string token = json.string("access_token");
    const auto printable = [](char c) { return c > ' ' && c < 0x7F; };
    // What is left of its life: asked twice, Huawei may give the same token.
    const int64_t valid_ms = std::clamp<int64_t>(number_at(json, "expires_in"), 0, 24 * 3600) * 1000;
    if (token.empty() || !std::all_of(token.begin(), token.end(), printable) || valid_ms == 0)
        throw Refused(BELFRY_RETRY_LATER, "token_endpoint", "answered 200 without a usable access token");
    value = "Bearer " + token;
    return credential_for(valid_ms);
}

belfry_credential sign_token(const belfry::Services& services, const Account& account, std::string& value) {
    const auto quoted = [&](std::string_view text) { return "\"" + services.json_escape(text) + "\""; };
    const int64_t issued = services.unix_ms() / 1000 - kBackdateS;
    const std::string header = "{\"kid\":" + quoted(account.key_id) + R"(,"typ":"JWT"})";
    const std::string claims = "{\"iss\":" + quoted(account.sub_account) + ",\"aud\":" + quoted(kAudience) +
                               ",\"iat\":" + std::to_string(issued) + ",\"exp\":" + std::to_string(issued + kSignedS) +
                               "}";
    try {
        value = "Bearer " + services.jwt_sign(BELFRY_JWT_PS256, account.private_key, header, claims);
    } catch (const Refused& refused) {
        throw Refused(BELFRY_CONFIG, "service_account.private_key",
                      std::string(refused.what()) + "; download the key file again");
    }
    return credential_for((kSignedS - kBackdateS) * 1000);
}

}  // namespace hms
