// SPDX-License-Identifier: Apache-2.0
#include "oauth.h"

#include <algorithm>
#include <charconv>

#include "retry_after.h"

namespace fcm {
namespace {

constexpr int64_t kBackdateS = 20;     // so that a clock slightly ahead is no error
constexpr int64_t kAssertionS = 3600;  // the longest that is accepted
constexpr int64_t kRefreshEarlyMs = 300'000;
constexpr int64_t kNotAgainMs = 10'000;
constexpr int64_t kSkewWorthTellingS = 5;

struct Answer {
    int32_t status = 0;
    std::string body, retry_after;
    int64_t date_unix_ms = 0;
};

belfry_code post(const Oauth& oauth, const std::string& jwt, int64_t deadline, Answer& answer, belfry_why* why) {
    // The alphabet of compact JWTs needs no percent-encoding.
    constexpr std::string_view kHeaders = "content-type: application/x-www-form-urlencoded\naccept: application/json\n";
    constexpr std::string_view kGrant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    const std::string& path = oauth.account.token_path;
    const std::string buf = path + std::string(kHeaders) + std::string(kGrant) + jwt;
    const auto span = [](size_t at, size_t n) {
        return belfry_span{static_cast<uint32_t>(at), static_cast<uint32_t>(n)};
    };
    auto request = sized<belfry_request>();
    request.path = span(0, path.size());
    request.headers = span(path.size(), kHeaders.size());
    request.body = span(path.size() + kHeaders.size(), kGrant.size() + jwt.size());
    const auto call = [&](belfry_emit emit, void* ctx) {
        return oauth.host.http->call(oauth.host.self, oauth.endpoint, str("POST"), &request, buf.data(), deadline, emit,
                                     ctx, why);
    };
    return collect<belfry_answer>(call, [&](const belfry_answer& row) {
        answer.status = row.status;
        answer.body = view(row.body);
        answer.date_unix_ms = row.date_unix_ms;
        answer.retry_after = header(row, "retry-after");
    });
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

belfry_code accept(const Oauth& oauth, const Json& json, belfry_emit emit, void* ctx, belfry_why* why) {
    const std::string token = json.string("access_token");
    const auto printable = [](char c) { return c > ' ' && c < 0x7F; };
    if (token.empty() && json.find("id_token").type != 0) {
        return because(
            why, BELFRY_CONFIG, "scope",
            "the token endpoint gave an id token only: the scope \"" + oauth.account.scope + "\" is unknown to it");
    }
    const int64_t valid_ms = expires_in(json) * 1000;
    if (token.empty() || !std::all_of(token.begin(), token.end(), printable) || valid_ms == 0) {
        return because(why, BELFRY_RETRY_LATER, "token_endpoint", "answered 200 without a usable access token");
    }
    const std::string value = "Bearer " + token;
    auto credential = sized<belfry_credential>();
    credential.value = str(value);
    credential.valid_ms = valid_ms;
    credential.refresh_after_ms = std::max(valid_ms - kRefreshEarlyMs, valid_ms / 2);
    credential.not_again_before_ms = std::min(kNotAgainMs, valid_ms / 2);
    emit(ctx, one_row(credential));
    return BELFRY_OK;
}

// The window error has two causes only; the answer's Date tells them apart.
belfry_code explain_window(const Oauth& oauth, const Answer& answer, belfry_why* why) {
    const int64_t skew_s = answer.date_unix_ms == 0 ? 0 : (oauth.host.unix_ms() - answer.date_unix_ms) / 1000;
    std::string text = "the token endpoint refuses the assertion's times";
    if (std::abs(skew_s) >= kSkewWorthTellingS) {
        text += ": this host's clock is " + std::to_string(std::abs(skew_s)) + " s " +
                (skew_s > 0 ? "ahead" : "behind") + "; set it (NTP)";
    } else {
        text += " although the clocks agree" + std::string(answer.date_unix_ms == 0 ? " or its Date is missing" : "");
    }
    return because(why, BELFRY_AUTH, "clock", text);
}

// Errors of RFC 6749, 5.2 and of Google's endpoint by their class; unknown ones are the operator's as well.
belfry_code refuse(const Oauth& oauth, const Answer& answer, const Json& json, belfry_why* why) {
    const std::string error = json.string("error"), description = json.string("error_description");
    const std::string status = "HTTP " + std::to_string(answer.status);
    const auto says = [&](std::string_view part) { return description.find(part) != std::string::npos; };
    const bool passes = answer.status >= 500 || answer.status == 429 || answer.status == 408;
    if (passes || error == "internal_failure" || says("internal_failure")) {
        if (why != nullptr) {
            const int64_t wait =
                retry_after_ms(answer.retry_after, answer.date_unix_ms, oauth.host.unix_ms()).value_or(0);
            why->retry_after_ms = static_cast<uint32_t>(wait);
        }
        return because(why, BELFRY_RETRY_LATER, "token_endpoint", status + " " + error);
    }
    if (error.empty()) {
        return because(why, BELFRY_CONFIG, "token_endpoint", status + " and no OAuth error: this is no token endpoint");
    }
    const std::string text = error + ": " + description;
    if (says("reasonable timeframe") || says("short-lived token")) return explain_window(oauth, answer, why);
    if (error == "invalid_scope") return because(why, BELFRY_CONFIG, "scope", text);
    if (says("audience")) return because(why, BELFRY_CONFIG, "credentials.token_uri", text);
    if (error == "invalid_request")
        return because(why, BELFRY_CONFIG, "credentials", text + "; is the key file intact?");
    return because(why, BELFRY_AUTH, "credentials",
                   text + "; the key was revoked or its account removed: configure a new key file");
}

}  // namespace

belfry_code make_assertion(const Host& host, const Account& account, std::string& jwt, belfry_why* why) {
    const auto quoted = [&](std::string_view text) { return "\"" + Json{host, text}.escaped() + "\""; };
    const int64_t issued = host.unix_ms() / 1000 - kBackdateS;
    std::string header = R"({"typ":"JWT")";
    if (!account.key.private_key_id.empty()) header += ",\"kid\":" + quoted(account.key.private_key_id);
    header += "}";
    const std::string claims = "{\"iss\":" + quoted(account.key.client_email) + ",\"scope\":" + quoted(account.scope) +
                               ",\"aud\":" + quoted(account.key.token_uri) + ",\"iat\":" + std::to_string(issued) +
                               ",\"exp\":" + std::to_string(issued + kAssertionS) + "}";
    const auto call = [&](belfry_emit emit, void* ctx) {
        return host.crypto->jwt_sign(host.self, BELFRY_JWT_RS256, str(account.key.private_key), str(header),
                                     str(claims), emit, ctx, why);
    };
    const belfry_code code = collect<belfry_str>(call, [&](const belfry_str& row) { jwt = view(row); });
    if (code == BELFRY_OK) return BELFRY_OK;
    return because(why, BELFRY_CONFIG, "credentials.private_key", "not a usable RSA key: download the key file again");
}

belfry_code Oauth::authorize(int64_t deadline_mono_ns, belfry_emit emit, void* ctx, belfry_why* why) const {
    std::string jwt;
    if (const belfry_code code = make_assertion(host, account, jwt, why); code != BELFRY_OK) return code;
    Answer answer;
    if (const belfry_code code = post(*this, jwt, deadline_mono_ns, answer, why); code != BELFRY_OK) return code;
    if (answer.date_unix_ms != 0) {
        const auto skew_ms = static_cast<double>(host.unix_ms() - answer.date_unix_ms);
        host.metrics->record(host.self, skew_metric, skew_ms / 1000);
    }
    Json json{host, answer.body};
    if (!json.check()) json.text = {};
    if (answer.status == 200) return accept(*this, json, emit, ctx, why);
    return refuse(*this, answer, json, why);
}

}  // namespace fcm
