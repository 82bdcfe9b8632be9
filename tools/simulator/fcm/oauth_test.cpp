// SPDX-License-Identifier: Apache-2.0
#include "fcm/oauth.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "testing/assertion.h"
#include "testing/fake_clock.h"

namespace belfry::simulator {
namespace {

using nlohmann::json;

constexpr const char* kTokenUri = "https://127.0.0.1:1/token";
constexpr const char* kMessaging = "https://www.googleapis.com/auth/firebase.messaging";
constexpr const char* kWindow =
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp "
    "values in the JWT claim.";

// RSA keys are slow to make: one pair serves all cases.
EVP_PKEY* known_key() {
    static const Key key = make_rsa_key();
    return key.get();
}

class OAuthChecks : public testing::Test {
protected:
    OAuthChecks() {
        std::vector<Account> accounts;
        accounts.push_back(account_for(known_key(), "demo"));
        oauth_.set_accounts(std::move(accounts), kTokenUri);
    }

    json claims() const {
        const auto now = std::chrono::duration_cast<std::chrono::seconds>(clock_.wall().time_since_epoch()).count();
        return {{"iss", "sender@demo.example"},
                {"scope", kMessaging},
                {"aud", kTokenUri},
                {"iat", now},
                {"exp", now + 3600}};
    }

    Reply ask(const json& body, const json& header = {{"alg", "RS256"}, {"typ", "JWT"}}, EVP_PKEY* key = known_key()) {
        return ask_raw(sign_jwt(key, header, body));
    }

    Reply ask_raw(const std::string& assertion) {
        return oauth_.answer(token_request(assertion), settings_, clock_.wall(), clock_.uptime());
    }

    static void expect(const Reply& reply, const std::string& error, const std::string& description) {
        EXPECT_EQ(reply.status, 400);
        EXPECT_EQ(json::parse(reply.body), json({{"error", error}, {"error_description", description}}));
    }

    FakeClock clock_;
    Settings settings_;
    OAuth oauth_;
};

TEST_F(OAuthChecks, GiveABearerTokenForAGoodAssertion) {
    const Reply reply = ask(claims());
    ASSERT_EQ(reply.status, 200) << reply.body;
    const json body = json::parse(reply.body);
    EXPECT_EQ(body["expires_in"], 3599);
    EXPECT_EQ(body["token_type"], "Bearer");
    const TokenCheck check = oauth_.check(body["access_token"].get<std::string>(), clock_.uptime());
    EXPECT_EQ(check.state, TokenState::Valid);
    EXPECT_EQ(check.project, "demo");
}

// Each assertion is wrong in one thing and in everything that is judged later: the order shows in the answer.
TEST_F(OAuthChecks, JudgeInTheRecordedOrder) {
    json all_wrong = {{"iss", "nobody"}};
    const Key stranger = make_rsa_key();
    expect(ask_raw("a.b.c.d"), "invalid_request", "Bad Request");
    expect(ask(all_wrong, {{"alg", "RS256"}}, stranger.get()), "invalid_grant", "Invalid JWT Signature.");
    expect(ask(all_wrong, {{"alg", "none"}}), "invalid_grant", "Invalid JWT Signature.");
    expect(ask(all_wrong), "invalid_grant", "Invalid grant: account not found");
    all_wrong["iss"] = "sender@demo.example";
    expect(ask(all_wrong), "invalid_grant", "Invalid JWT: iat (issued at) is not set.");
    all_wrong["iat"] = 5;
    expect(ask(all_wrong), "invalid_grant", "Invalid JWT: exp (expiration time) is not set.");
    all_wrong["exp"] = 6;
    expect(ask(all_wrong), "invalid_grant", kWindow);
    all_wrong["iat"] = claims()["iat"];
    all_wrong["exp"] = claims()["exp"];
    expect(ask(all_wrong), "invalid_scope", "Invalid OAuth scope or ID token audience provided.");
    all_wrong["scope"] = kMessaging;
    expect(ask(all_wrong), "invalid_grant", "Invalid JWT: Failed audience check.");
    all_wrong["aud"] = kTokenUri;
    EXPECT_EQ(ask(all_wrong).status, 200);
}

TEST_F(OAuthChecks, RefuseAssertionsOutsideTheWindow) {
    const auto now = claims()["iat"].get<std::int64_t>();
    const std::pair<std::int64_t, std::int64_t> windows[] = {
        {now, now + 3601}, {now - 4000, now - 400}, {now + 301, now + 3000}, {now, now}, {now - 3600, now}};
    for (const auto& [issued, expires] : windows) {
        json body = claims();
        body["iat"] = issued;
        body["exp"] = expires;
        expect(ask(body), "invalid_grant", kWindow);
    }
    json skewed = claims();
    skewed["iat"] = now + 300;
    skewed["exp"] = now + 3600;
    EXPECT_EQ(ask(skewed).status, 200);
}

TEST_F(OAuthChecks, TakeDigitStringsForTimes) {
    json body = claims();
    body["iat"] = std::to_string(body["iat"].get<std::int64_t>());
    body["exp"] = std::to_string(body["exp"].get<std::int64_t>());
    EXPECT_EQ(ask(body).status, 200);
}

TEST_F(OAuthChecks, GiveOnlyAnIdTokenWhenOneScopeIsUnknown) {
    json body = claims();
    body["scope"] = std::string(kMessaging) + " https://www.googleapis.com/auth/other";
    const Reply reply = ask(body);
    EXPECT_EQ(reply.status, 200);
    EXPECT_TRUE(json::parse(reply.body).contains("id_token"));
    EXPECT_FALSE(json::parse(reply.body).contains("access_token"));
}

TEST_F(OAuthChecks, RefuseAKeyIdThatIsNotTheAccounts) {
    expect(ask(claims(), {{"alg", "RS256"}, {"kid", "other"}}), "invalid_grant", "Invalid JWT Signature.");
    EXPECT_EQ(ask(claims(), {{"alg", "RS256"}, {"kid", "key-of-demo"}}).status, 200);
}

TEST_F(OAuthChecks, RefuseAChangedSignature) {
    std::string assertion = sign_jwt(known_key(), {{"alg", "RS256"}}, claims());
    char& last_but_one = assertion[assertion.size() - 2];
    last_but_one = last_but_one == 'A' ? 'B' : 'A';
    expect(ask_raw(assertion), "invalid_grant", "Invalid JWT Signature.");
}

TEST_F(OAuthChecks, RefuseOtherGrantsAndContentTypes) {
    Request request = token_request("x");
    request.body = "grant_type=password";
    EXPECT_EQ(json::parse(oauth_.answer(request, settings_, clock_.wall(), clock_.uptime()).body)["error"],
              "unsupported_grant_type");
    request.headers.clear();
    EXPECT_EQ(json::parse(oauth_.answer(request, settings_, clock_.wall(), clock_.uptime()).body)["error"],
              "invalid_request");
}

TEST_F(OAuthChecks, LetTokensExpire) {
    settings_.token_lifetime_s = 2;
    const std::string token = json::parse(ask(claims()).body)["access_token"];
    clock_.advance(std::chrono::milliseconds(1999));
    EXPECT_EQ(oauth_.check(token, clock_.uptime()).state, TokenState::Valid);
    clock_.advance(std::chrono::milliseconds(1));
    EXPECT_EQ(oauth_.check(token, clock_.uptime()).state, TokenState::Expired);
    EXPECT_EQ(oauth_.check("ya29.c.invented", clock_.uptime()).state, TokenState::Unknown);
}

TEST_F(OAuthChecks, ExpireAllTokensAtOnce) {
    const std::string token = json::parse(ask(claims()).body)["access_token"];
    oauth_.expire_all(clock_.uptime());
    EXPECT_EQ(oauth_.check(token, clock_.uptime()).state, TokenState::Expired);
    const std::string fresh = json::parse(ask(claims()).body)["access_token"];
    EXPECT_EQ(oauth_.check(fresh, clock_.uptime()).state, TokenState::Valid);
}

}  // namespace
}  // namespace belfry::simulator
