// SPDX-License-Identifier: Apache-2.0
#include "hms/credentials.h"

#include <openssl/rand.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "fcm/base64url.h"
#include "fcm/errors.h"
#include "net/url.h"

namespace belfry::simulator {

namespace {

using Json = nlohmann::json;

constexpr std::string_view kAudience = "https://oauth-login.cloud.huawei.com/oauth2/v3/token";
constexpr std::int64_t kLongestTokenS = 86'400;
constexpr int kBadToken = 80200001, kExpiredAccessToken = 80200003, kExpiredJwt = 80200005, kTooLongJwt = 80300036;

Reply oauth_error(int sub_error, std::string_view description) {
    return json_reply(400, R"({"error":1101,"sub_error":)" + std::to_string(sub_error) + R"(,"error_description":)" +
                               json_string(description) + "}");
}

// Opaque, with the marks that a careless client trips over.
std::string make_access_token() {
    std::string raw(48, '\0');
    RAND_bytes(reinterpret_cast<unsigned char*>(raw.data()), static_cast<int>(raw.size()));
    return "DQEB/" + base64url_encode(raw) + "+/==";
}

// As Huawei writes it: with every slash escaped.
std::string escaped(const std::string& token) {
    std::string text;
    for (const char c : token) text += c == '/' ? std::string("\\/") : std::string(1, c);
    return text;
}

void retire(HmsState& hms) {
    if (hms.access_token.empty()) return;
    if (hms.past_tokens.size() >= HmsState::kPastTokensMax) hms.past_tokens.clear();
    hms.past_tokens.insert(std::move(hms.access_token));
    hms.access_token.clear();
}

// RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of exactly 32 bytes (RFC 7518, 3.5).
bool verify_ps256(EVP_PKEY* key, std::string_view signed_part, const std::string& signature) {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    EVP_PKEY_CTX* inner = nullptr;
    return EVP_DigestVerifyInit(context.get(), &inner, EVP_sha256(), nullptr, key) == 1 &&
           EVP_PKEY_CTX_set_rsa_padding(inner, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(inner, EVP_sha256()) == 1 && EVP_PKEY_CTX_set_rsa_pss_saltlen(inner, 32) == 1 &&
           EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
                            reinterpret_cast<const unsigned char*>(signed_part.data()), signed_part.size()) == 1;
}

std::string text_of(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

int check_jwt(const World& world, std::string_view jwt) {
    const HmsApp& app = world.hms.app;
    const auto first = jwt.find('.'), last = jwt.rfind('.');
    if (first == std::string_view::npos || first == last || jwt.find('.', first + 1) != last) return kBadToken;
    const auto head = base64url_decode(jwt.substr(0, first));
    const auto body = base64url_decode(jwt.substr(first + 1, last - first - 1));
    const auto signature = base64url_decode(jwt.substr(last + 1));
    if (!head || !body || !signature) return kBadToken;
    const Json header = Json::parse(*head, nullptr, false), claims = Json::parse(*body, nullptr, false);
    if (!header.is_object() || !claims.is_object()) return kBadToken;
    const bool ours = text_of(header, "alg") == "PS256" && text_of(header, "typ") == "JWT" &&
                      text_of(header, "kid") == app.key_id && text_of(claims, "iss") == app.sub_account &&
                      text_of(claims, "aud") == kAudience;
    const auto issued = claims.find("iat"), expires = claims.find("exp");
    const bool timed = issued != claims.end() && issued->is_number_integer() && expires != claims.end() &&
                       expires->is_number_integer();
    if (!ours || !timed || !verify_ps256(app.key.get(), jwt.substr(0, last), *signature)) return kBadToken;
    const auto iat = issued->get<std::int64_t>(), exp = expires->get<std::int64_t>();
    const std::int64_t now =
        std::chrono::duration_cast<std::chrono::seconds>(world.simulated_wall().time_since_epoch()).count();
    if (exp - iat > kLongestTokenS) return kTooLongJwt;
    if (iat > now || exp <= iat) return kBadToken;
    return exp <= now ? kExpiredJwt : 0;
}

}  // namespace

Reply answer_hms_oauth(World& world, const Request& request) {
    HmsState& hms = world.hms;
    ++hms.oauth_calls;
    if (!request.header("content-type").starts_with("application/x-www-form-urlencoded"))
        return oauth_error(20182, "content-type must be application/x-www-form-urlencoded");
    if (form_value(request.body, "grant_type") != "client_credentials")
        return oauth_error(20182, "grant_type is wrong");
    const std::string client = form_value(request.body, "client_id").value_or("");
    const bool digits = !client.empty() && client.size() <= 64 &&
                        std::all_of(client.begin(), client.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) return oauth_error(20002, "client_id is malformed");
    if (client != hms.app.app_id) return oauth_error(20003, "client_id does not exist");
    const auto secret = form_value(request.body, "client_secret");
    if (!secret || secret->empty()) return oauth_error(20171, "client_secret is missing");
    if (*secret != hms.app.client_secret) return oauth_error(12304, "client_secret is wrong");
    const std::chrono::milliseconds now = world.clock.uptime();
    if (now >= hms.expires) retire(hms);
    if (hms.access_token.empty()) {
        hms.access_token = make_access_token();
        hms.expires = now + std::chrono::seconds(world.settings.token_lifetime_s);
        ++hms.tokens_issued;
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::seconds>(hms.expires - now + std::chrono::milliseconds(999));
    Reply reply = json_reply(200, R"({"access_token":")" + escaped(hms.access_token) + R"(","expires_in":)" +
                                      std::to_string(left.count()) + R"(,"token_type":"Bearer"})");
    reply.headers.push_back({"cache-control", "no-store"});
    return reply;
}

int check_hms_bearer(World& world, const Request& request, bool harmony) {
    constexpr std::string_view kScheme = "Bearer ";
    const std::string_view value = request.header("authorization");
    if (!value.starts_with(kScheme)) return kBadToken;
    const std::string token(value.substr(kScheme.size()));
    HmsState& hms = world.hms;
    if (!harmony && token == hms.access_token && world.clock.uptime() < hms.expires) return 0;
    if (!harmony && !token.empty() && (token == hms.access_token || hms.past_tokens.contains(token)))
        return kExpiredAccessToken;
    return check_jwt(world, token);
}

void expire_hms_tokens(World& world) {
    retire(world.hms);
}

void revoke_hms_tokens(World& world) {
    world.hms.access_token.clear();
    world.hms.past_tokens.clear();
}

}  // namespace belfry::simulator
