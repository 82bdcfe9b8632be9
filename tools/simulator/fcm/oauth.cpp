// SPDX-License-Identifier: Apache-2.0
#include "fcm/oauth.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "fcm/base64url.h"
#include "fcm/errors.h"
#include "net/url.h"

namespace belfry::simulator {

namespace {

using Json = nlohmann::json;

constexpr std::string_view kGrantType = "urn:ietf:params:oauth:grant-type:jwt-bearer";
constexpr std::array<std::string_view, 2> kScopes{"https://www.googleapis.com/auth/firebase.messaging",
                                                  "https://www.googleapis.com/auth/cloud-platform"};
constexpr std::int64_t kLongestAssertion = 3600;
constexpr std::int64_t kSkewAllowed = 300;  // how far iat may be ahead of the server's clock

Reply oauth_error(int status, std::string_view error, std::string_view description) {
    std::string body =
        R"({"error":)" + json_string(error) + R"(,"error_description":)" + json_string(description) + '}';
    return json_reply(status, std::move(body));
}

Reply invalid_grant(std::string_view description) {
    return oauth_error(400, "invalid_grant", description);
}

// Seconds as an integer or a string of digits; Google takes both.
std::optional<std::int64_t> seconds_claim(const Json& claims, const char* name) {
    const auto found = claims.find(name);
    if (found == claims.end()) return std::nullopt;
    if (found->is_number_integer()) return found->get<std::int64_t>();
    if (!found->is_string()) return std::nullopt;
    const auto& text = found->get_ref<const std::string&>();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::string text_claim(const Json& claims, const char* name) {
    const auto found = claims.find(name);
    return found != claims.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool verify_rs256(EVP_PKEY* key, std::string_view signed_part, std::string_view signature) {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    if (EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) != 1) return false;
    return EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
                            reinterpret_cast<const unsigned char*>(signed_part.data()), signed_part.size()) == 1;
}

// Each word of the scope, and whether Google knows all of them.
bool scopes_known(std::string_view scope) {
    while (!scope.empty()) {
        const auto end = scope.find(' ');
        const std::string_view word = scope.substr(0, end);
        if (!word.empty() && std::find(kScopes.begin(), kScopes.end(), word) == kScopes.end()) return false;
        if (end == std::string_view::npos) break;
        scope.remove_prefix(end + 1);
    }
    return true;
}

std::optional<Reply> account_trouble(const std::string& state) {
    if (state == "disabled") return oauth_error(401, "disabled_client", "The OAuth client was disabled.");
    if (state == "deleted") return oauth_error(401, "deleted_client", "The OAuth client was deleted.");
    if (state == "internal_failure") return oauth_error(500, "internal_failure", "Internal failure.");
    return std::nullopt;
}

std::string random_text(std::size_t bytes) {
    std::string raw(bytes, '\0');
    RAND_bytes(reinterpret_cast<unsigned char*>(raw.data()), static_cast<int>(raw.size()));
    return base64url_encode(raw);
}

}  // namespace

struct OAuth::Assertion {
    std::string_view signed_part;
    std::string signature;
    Json header;
    Json claims;

    static std::optional<Assertion> read(std::string_view jwt) {
        const auto first = jwt.find('.');
        const auto last = jwt.rfind('.');
        if (first == std::string_view::npos || first == last) return std::nullopt;
        if (jwt.find('.', first + 1) != last) return std::nullopt;
        const auto header = base64url_decode(jwt.substr(0, first));
        const auto claims = base64url_decode(jwt.substr(first + 1, last - first - 1));
        auto signature = base64url_decode(jwt.substr(last + 1));
        if (!header || !claims || !signature) return std::nullopt;
        Assertion assertion{jwt.substr(0, last), std::move(*signature), Json::parse(*header, nullptr, false),
                            Json::parse(*claims, nullptr, false)};
        if (!assertion.header.is_object() || !assertion.claims.is_object()) return std::nullopt;
        return assertion;
    }
};

void OAuth::set_accounts(std::vector<Account> accounts, std::string token_uri) {
    accounts_ = std::move(accounts);
    token_uri_ = std::move(token_uri);
}

Reply OAuth::answer(const Request& request, const Settings& settings, std::chrono::system_clock::time_point wall,
                    std::chrono::milliseconds uptime) {
    const std::string_view type = request.header("content-type");
    if (!type.starts_with("application/x-www-form-urlencoded")) {
        return oauth_error(400, "invalid_request", "Content-Type must be application/x-www-form-urlencoded");
    }
    const std::string grant = form_value(request.body, "grant_type").value_or("");
    if (grant.empty()) return oauth_error(400, "invalid_request", "Missing required parameter: grant_type");
    if (grant != kGrantType) return oauth_error(400, "unsupported_grant_type", "Invalid grant_type: " + grant);
    const auto jwt = form_value(request.body, "assertion");
    if (!jwt) return oauth_error(400, "invalid_request", "Missing required parameter: assertion");
    return check_assertion(*jwt, settings, wall, uptime);
}

Reply OAuth::check_assertion(std::string_view jwt, const Settings& settings, std::chrono::system_clock::time_point wall,
                             std::chrono::milliseconds uptime) {
    const auto assertion = Assertion::read(jwt);
    if (!assertion) return oauth_error(400, "invalid_request", "Bad Request");
    if (!signature_holds(*assertion)) return invalid_grant("Invalid JWT Signature.");
    const Account* account = find_account(text_claim(assertion->claims, "iss"));
    if (account == nullptr) return invalid_grant("Invalid grant: account not found");
    if (auto trouble = account_trouble(settings.account_state)) return *trouble;

    const auto issued = seconds_claim(assertion->claims, "iat");
    if (!issued) return invalid_grant("Invalid JWT: iat (issued at) is not set.");
    const auto expires = seconds_claim(assertion->claims, "exp");
    if (!expires) return invalid_grant("Invalid JWT: exp (expiration time) is not set.");
    const std::int64_t now = std::chrono::duration_cast<std::chrono::seconds>(wall.time_since_epoch()).count();
    const bool in_window = *expires > now && *issued <= now + kSkewAllowed && *expires > *issued &&
                           *expires <= now + kLongestAssertion + kSkewAllowed && *issued >= now - 86'400;
    if (!in_window || *expires - *issued > kLongestAssertion) {
        return invalid_grant(
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your "
            "iat and exp values in the JWT claim.");
    }
    const std::string scope = text_claim(assertion->claims, "scope");
    if (scope.find_first_not_of(' ') == std::string::npos) {
        return oauth_error(400, "invalid_scope", "Invalid OAuth scope or ID token audience provided.");
    }
    if (text_claim(assertion->claims, "aud") != token_uri_) return invalid_grant("Invalid JWT: Failed audience check.");
    if (!scopes_known(scope)) {
        return json_reply(200,
                          R"({"id_token":")" + base64url_encode(R"({"alg":"none"})") + '.' + random_text(48) + ".\"}");
    }
    return issue(*account, settings.token_lifetime_s, uptime);
}

bool OAuth::signature_holds(const Assertion& assertion) const {
    if (text_claim(assertion.header, "alg") != "RS256") return false;
    // The signature is judged before the account, so any known key will do; kid narrows it down.
    const std::string kid = text_claim(assertion.header, "kid");
    return std::any_of(accounts_.begin(), accounts_.end(), [&](const Account& account) {
        if (!kid.empty() && kid != account.key_id) return false;
        return verify_rs256(account.key.get(), assertion.signed_part, assertion.signature);
    });
}

const Account* OAuth::find_account(std::string_view client_email) const {
    const auto found = std::find_if(accounts_.begin(), accounts_.end(),
                                    [&](const Account& account) { return account.client_email == client_email; });
    return found == accounts_.end() ? nullptr : &*found;
}

Reply OAuth::issue(const Account& account, std::int64_t lifetime_s, std::chrono::milliseconds uptime) {
    std::string token = "ya29.c." + random_text(96);
    if (order_.size() >= kTokensMax) {
        issued_.erase(order_.front());
        order_.pop_front();
    }
    issued_[token] = {account.project, uptime + std::chrono::seconds(lifetime_s)};
    order_.push_back(token);
    return json_reply(200, R"({"access_token":)" + json_string(token) + R"(,"expires_in":)" +
                               std::to_string(lifetime_s) + R"(,"token_type":"Bearer"})");
}

TokenCheck OAuth::check(std::string_view access_token, std::chrono::milliseconds uptime) const {
    const auto found = issued_.find(std::string(access_token));
    if (found == issued_.end()) return {};
    return {uptime < found->second.expires ? TokenState::Valid : TokenState::Expired, found->second.project};
}

void OAuth::expire_all(std::chrono::milliseconds uptime) {
    for (auto& [token, issued] : issued_) issued.expires = std::min(issued.expires, uptime);
}

}  // namespace belfry::simulator
