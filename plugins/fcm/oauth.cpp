// SPDX-License-Identifier: Apache-2.0
#include "oauth.h"

#include <belfry/config.hpp>
#include <belfry/http.hpp>
#include <cstdlib>

namespace fcm {
namespace {

using belfry::Json;
using belfry::Refused;

constexpr int64_t kBackdateS = 20;     // so that a clock slightly ahead is no error
constexpr int64_t kAssertionS = 3600;  // the longest that is accepted
constexpr int64_t kSkewWorthTellingS = 5;

std::string make_assertion(const belfry::Services& services, const Account& account) {
    using belfry::JsonObject;
    const int64_t issued = services.unix_ms() / 1000 - kBackdateS;
    JsonObject header(services);
    header.text("typ", "JWT");
    if (!account.private_key_id.empty()) header.text("kid", account.private_key_id);
    const std::string claims = JsonObject(services)
                                   .text("iss", account.client_email)
                                   .text("scope", account.scope)
                                   .text("aud", account.token_uri)
                                   .number("iat", issued)
                                   .number("exp", issued + kAssertionS)
                                   .str();
    return belfry::with_credential("credentials.private_key", "download the key file again", [&] {
        return services.jwt_sign(BELFRY_JWT_RS256, account.private_key, header.str(), claims);
    });
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
    const int64_t now = json.services.unix_ms();
    belfry::check_passing_trouble(json.services, answer);
    if (error == "internal_failure" || says("internal_failure"))
        throw Refused(BELFRY_RETRY_LATER, "token_endpoint", status + " " + error);
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
    const std::string kGrant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    return belfry::token_request(account.token_endpoint.path, kGrant + make_assertion(services, account));
}

belfry_credential read_token(const belfry::Services& services, const Account& account, const belfry::HttpAnswer& answer,
                             std::string& value) {
    const Json json = Json::of(services, answer.body);
    if (answer.status != 200) refuse(json, answer);
    if (!json.has("access_token") && json.has("id_token")) {
        throw Refused(BELFRY_CONFIG, "scope",
                      "the token endpoint gave an id token only: it does not know the scope \"" + account.scope + "\"");
    }
    return belfry::bearer_token(json, value, kAssertionS);
}

}  // namespace fcm
