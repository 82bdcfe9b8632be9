// SPDX-License-Identifier: Apache-2.0
#include "credential.h"

#include <algorithm>
#include <belfry/config.hpp>
#include <belfry/http.hpp>

namespace hms {
namespace {

using belfry::Json;
using belfry::Refused;

constexpr int64_t kSignedS = 3600;
constexpr int64_t kBackdateS = 20;  // so that a clock slightly ahead is no error
constexpr uint32_t kRateLimitedMs = 60'000;
constexpr size_t kQuotedMax = 200;  // bytes of Huawei's own words
// Whatever token_endpoint says: it is the audience of every token.
constexpr std::string_view kAudience = kTokenEndpoint;

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
    belfry::check_passing_trouble(json.services, answer, kRateLimitedMs);
    const std::string status = "HTTP " + std::to_string(answer.status);
    const int64_t error = json.number("error").value_or(0), code = json.number("sub_error").value_or(0);
    if (error == 0 && code == 0)
        throw Refused(BELFRY_CONFIG, "token_endpoint", status + " and no OAuth error: this is no token endpoint");
    const std::string says =
        code == 0 ? status
                  : "error " + std::to_string(code) + ": " + json.string("error_description").substr(0, kQuotedMax);
    const auto* const known = std::find_if(std::begin(kSubErrors), std::end(kSubErrors),
                                           [&](const SubError& each) { return each.code == code; });
    if (known == std::end(kSubErrors))
        throw Refused(BELFRY_AUTH, "client_secret", says + "; check client_id and client_secret");
    throw Refused(BELFRY_AUTH, known->where, std::string(known->advice) + "; " + says);
}

}  // namespace

belfry::HttpRequest token_request(const Config& config, const Account& account) {
    return belfry::token_request(config.token_endpoint.path,
                                 "grant_type=client_credentials&client_id=" + belfry::form_encoded(config.client_id) +
                                     "&client_secret=" + belfry::form_encoded(account.client_secret));
}

// Asked twice, Huawei may give the same token with what is left of its life.
belfry_credential read_token(const belfry::Services& services, const belfry::HttpAnswer& answer, std::string& value) {
    const Json json = Json::of(services, answer.body);
    if (answer.status != 200) refuse(json, answer);
    return belfry::bearer_token(json, value);
}

belfry_credential sign_token(const belfry::Services& services, const Account& account, std::string& value) {
    using belfry::JsonObject;
    const int64_t issued = services.unix_ms() / 1000 - kBackdateS;
    const std::string header = JsonObject(services).text("kid", account.key_id).text("typ", "JWT").str();
    const std::string claims = JsonObject(services)
                                   .text("iss", account.sub_account)
                                   .text("aud", kAudience)
                                   .number("iat", issued)
                                   .number("exp", issued + kSignedS)
                                   .str();
    value = "Bearer " + belfry::with_credential("service_account.private_key", "download the key file again", [&] {
                return services.jwt_sign(BELFRY_JWT_PS256, account.private_key, header, claims);
            });
    return belfry::credential_for((kSignedS - kBackdateS) * 1000);
}

}  // namespace hms
