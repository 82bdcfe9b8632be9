// SPDX-License-Identifier: Apache-2.0
// Sections, key files and both kinds of credentials. Cases O carry the names of hms.md section 17.1.
#include <belfry/services.hpp>

#include "fakes/hms_bed.h"

namespace belfry::fakes {
namespace {

constexpr int64_t kNowS = 1'700'000'000;  // where the test clock stands

void answer(HmsBed& bed, int status, const std::string& body, const std::string& retry_after = "") {
    http::CallAnswer answer{status, body, {}, kNowS * 1000};
    if (!retry_after.empty()) answer.headers.emplace_back("retry-after", retry_after);
    bed.host.http.answers.push_back(answer);
}

struct BadConfig {
    const char *name, *config, *where;
};
class HmsConfig : public testing::TestWithParam<BadConfig> {};
TEST_P(HmsConfig, IsRefusedWithThePlace) {
    const HmsBed bed(GetParam().config);
    EXPECT_EQ(bed.trouble.code, BELFRY_CONFIG);
    EXPECT_EQ(bed.trouble.where, GetParam().where);
    EXPECT_FALSE(bed.trouble.text.empty());
}
INSTANTIATE_TEST_SUITE_P(
    Rows, HmsConfig,
    testing::Values(
        BadConfig{"nothing", R"({})", "client_secret"},
        BadConfig{"v1_without_app", R"({"client_secret":{"$secret":"s"},"client_id":"1"})", "app_id"},
        BadConfig{"v2_without_project", R"({"generation":"v2","app_id":"1","client_secret":{"$secret":"s"}})",
                  "project_id"},
        BadConfig{"v2_without_client", R"({"generation":"v2","project_id":"1","client_secret":{"$secret":"s"}})",
                  "client_id"},
        BadConfig{"v3_without_key_file", R"({"generation":"v3","client_secret":{"$secret":"s"}})", "service_account"},
        BadConfig{"two_credentials",
                  R"({"app_id":"1","client_secret":{"$secret":"s"},"service_account":{"$secret":"k"}})",
                  "service_account"},
        BadConfig{"generation", R"({"generation":"v4"})", "generation"},
        BadConfig{"id_that_changes_the_path", R"({"app_id":"1/../2","client_secret":{"$secret":"s"}})", "app_id"},
        BadConfig{"token_endpoint", R"({"app_id":"1","client_secret":{"$secret":"s"},"token_endpoint":"http://x/y"})",
                  "token_endpoint"}),
    case_name<BadConfig>);

TEST(HmsRate, IsByDefaultBelowTheLeastThatHuaweiGives) {  // section 12: 6,000 devices a second
    const HmsBed bed;
    EXPECT_LE(bed.provider().per_minute_default, 342'000U);  // by 5 %
    EXPECT_GE(bed.provider().per_minute_default, 324'000U);  // by 10 %
}

TEST(HmsKeyFile, IsReadWithClearErrors) {
    const auto where = [](const std::string& key_file) { return HmsBed(kHmsV3, "", key_file).trouble.where; };
    EXPECT_EQ(where(hms_key_file()), "");
    EXPECT_EQ(where("not json"), "service_account");
    EXPECT_EQ(where(R"({"project_id":"1","key_id":"k","private_key":"x"})"), "service_account.sub_account");
    EXPECT_EQ(where(R"({"project_id":"1","sub_account":"s","private_key":"x"})"), "service_account.key_id");
    EXPECT_EQ(where(R"({"project_id":"1","key_id":"k","sub_account":"s"})"), "service_account.private_key");
    EXPECT_EQ(where(R"({"key_id":"k","sub_account":"s","private_key":"x"})"), "project_id");
    EXPECT_EQ(where(hms_key_file("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")),
              "service_account.private_key");
}

TEST(HmsKeyFile, IsNoClientSecret) {
    const auto said = [](const std::string& secret) { return HmsBed(kHmsV1, secret).trouble; };
    EXPECT_EQ(said("5d0f3c").where, "");
    for (const std::string& file : {hms_key_file(), std::string("-----BEGIN PRIVATE KEY-----\nAAAA\n")}) {
        EXPECT_EQ(said(file).where, "client_secret");
        EXPECT_NE(said(file).text.find("key file"), std::string::npos);
    }
}

TEST(HmsKeyFile, AnEllipticKeyIsNoKeyOfAServiceAccount) {
    TestHost host;
    const P256Key key = Services(host.abi()).p256_key();
    const HmsBed bed(kHmsV3, "", hms_key_file(key.pem));
    EXPECT_EQ(bed.trouble.code, BELFRY_CONFIG);
    EXPECT_NE(bed.trouble.text.find("RSA"), std::string::npos) << bed.trouble.text;
}

TEST(HmsEndpoint, MayEndWithASlash) {
    const HmsBed bed(R"({"app_id":"1","client_secret":{"$secret":"s"},"endpoint":"https://hms.test:7/"})");
    EXPECT_EQ(bed.host.http.endpoints.at(1).url, "https://hms.test:7");
}

TEST(HmsOAuth, O1_TheTokenIsUsedAsItIs) {
    HmsBed bed;
    answer(bed, 200, R"({"access_token":"DQEB\/a+b=","expires_in":3600,"token_type":"Bearer"})");
    const auto credential = bed.authorize();
    ASSERT_TRUE(credential) << bed.trouble.text;
    EXPECT_EQ(credential->value, "Bearer DQEB/a+b=");
    EXPECT_EQ(credential->valid_ms, 3'600'000);
    EXPECT_EQ(credential->refresh_after_ms, 3'300'000);
    EXPECT_EQ(credential->not_again_before_ms, 10'000);
}

TEST(HmsOAuth, O2_AShortRestOfLifeIsTakenAsSaid) {
    HmsBed bed;
    answer(bed, 200, R"({"access_token":"t","expires_in":"2"})");
    const auto credential = bed.authorize();
    ASSERT_TRUE(credential) << bed.trouble.text;
    EXPECT_EQ(credential->valid_ms, 2'000);
    EXPECT_EQ(credential->refresh_after_ms, 1'000);
    EXPECT_EQ(credential->not_again_before_ms, 1'000);
}

TEST(HmsOAuth, O6_TheFormIsPercentEncoded) {
    HmsBed bed;
    answer(bed, 200, R"({"access_token":"t","expires_in":60})");
    ASSERT_TRUE(bed.authorize());
    const auto& asked = bed.host.http.asked.at(0);
    EXPECT_EQ(bed.host.http.endpoints.at(static_cast<size_t>(asked.endpoint)).url, "https://hms.test:8");
    EXPECT_EQ(asked.request.method, "POST");
    EXPECT_EQ(asked.request.path, "/oauth2/v3/token");
    EXPECT_EQ(asked.request.headers.at(0),
              (std::pair<std::string, std::string>("content-type", "application/x-www-form-urlencoded")));
    EXPECT_EQ(asked.request.body, "grant_type=client_credentials&client_id=123&client_secret=a%2Bb%2F%3D");
}

struct BadToken {
    const char* name;
    int status;
    const char* body;
    belfry_code code;
    const char* where;
    uint32_t retry_after_ms = 0;
    const char* retry_after = "";
};
class HmsOAuthError : public testing::TestWithParam<BadToken> {};
TEST_P(HmsOAuthError, SaysWhoMustAct) {
    HmsBed bed;
    answer(bed, GetParam().status, GetParam().body, GetParam().retry_after);
    EXPECT_FALSE(bed.authorize());
    EXPECT_EQ(bed.trouble.code, GetParam().code) << bed.trouble.text;
    EXPECT_EQ(bed.trouble.where, GetParam().where);
    EXPECT_EQ(bed.trouble.retry_after_ms, GetParam().retry_after_ms);
}
INSTANTIATE_TEST_SUITE_P(
    Rows, HmsOAuthError,
    testing::Values(BadToken{"O3_wrong_secret", 400, R"({"error":1101,"sub_error":12304,"error_description":"no"})",
                             BELFRY_AUTH, "client_secret"},
                    BadToken{"as_texts", 400, R"({"error":"1101","sub_error":"20003"})", BELFRY_AUTH, "client_id"},
                    BadToken{"malformed_client", 400, R"({"error":1101,"sub_error":20002})", BELFRY_AUTH, "client_id"},
                    BadToken{"no_secret", 400, R"({"error":1101,"sub_error":20171})", BELFRY_AUTH, "client_secret"},
                    BadToken{"malformed_secret", 400, R"({"error":1101,"sub_error":20172})", BELFRY_AUTH,
                             "client_secret"},
                    BadToken{"wrong_grant", 400, R"({"error":1101,"sub_error":20182})", BELFRY_AUTH, "token_endpoint"},
                    BadToken{"unknown_sub_error", 400, R"({"error":1101,"sub_error":1})", BELFRY_AUTH, "client_secret"},
                    BadToken{"forbidden", 403, "<html>", BELFRY_CONFIG, "token_endpoint"},
                    BadToken{"not_found", 404, "", BELFRY_CONFIG, "token_endpoint"},
                    BadToken{"wrong_method", 405, "", BELFRY_CONFIG, "token_endpoint"},
                    BadToken{"broken_502", 502, "<html>", BELFRY_RETRY_LATER, "token_endpoint"},
                    BadToken{"broken_504", 504, "", BELFRY_RETRY_LATER, "token_endpoint"},
                    BadToken{"O4_rate_limited", 503, "", BELFRY_RETRY_LATER, "token_endpoint", 60'000},
                    BadToken{"O4_with_a_time", 503, "", BELFRY_RETRY_LATER, "token_endpoint", 7'000, "7"},
                    BadToken{"broken", 500, "", BELFRY_RETRY_LATER, "token_endpoint"},
                    BadToken{"broken_590", 590, "", BELFRY_RETRY_LATER, "token_endpoint"},
                    BadToken{"O5_no_token", 200, R"({"expires_in":3600})", BELFRY_RETRY_LATER, "token_endpoint"},
                    BadToken{"O5_no_life", 200, R"({"access_token":"t"})", BELFRY_RETRY_LATER, "token_endpoint"},
                    BadToken{"O5_not_json", 200, "<html>", BELFRY_RETRY_LATER, "token_endpoint"},
                    BadToken{"O5_unprintable", 200, R"({"access_token":"a\nb","expires_in":3600})", BELFRY_RETRY_LATER,
                             "token_endpoint"}),
    case_name<BadToken>);

TEST(HmsServiceAccount, SignsItsTokensItself) {  // hms.md sections 3 and 17.5
    HmsBed bed(kHmsV3);
    ASSERT_EQ(bed.trouble.code, BELFRY_OK) << bed.trouble.text;
    const auto credential = bed.authorize();
    ASSERT_TRUE(credential) << bed.trouble.text;
    EXPECT_TRUE(bed.host.http.asked.empty());
    EXPECT_EQ(credential->valid_ms, 3'580'000);
    EXPECT_EQ(credential->refresh_after_ms, 3'280'000);
    ASSERT_EQ(credential->value.rfind("Bearer ", 0), 0U);
    const std::string jwt = credential->value.substr(7);
    EXPECT_EQ(jwt.find('='), std::string::npos);
    const size_t first = jwt.find('.'), last = jwt.rfind('.');
    EXPECT_EQ(decoded(jwt.substr(0, first)), R"({"alg":"PS256","kid":"kid-1","typ":"JWT"})");
    EXPECT_EQ(decoded(jwt.substr(first + 1, last - first - 1)),
              R"({"iss":"102030","aud":"https://oauth-login.cloud.huawei.com/oauth2/v3/token",)"
              R"("iat":1699999980,"exp":1700003580})");
    EXPECT_EQ(decoded(jwt.substr(last + 1)).size(), 256U);
}

TEST(HmsServiceAccount, ServesV1AndV2Too) {
    for (const char* generation : {"v1", "v2"}) {
        HmsBed bed(R"({"app_id":"123","service_account":{"$secret":"k"},"generation":")" + std::string(generation) +
                   "\"}");
        ASSERT_EQ(bed.trouble.code, BELFRY_OK) << bed.trouble.text;
        EXPECT_TRUE(bed.authorize());
        EXPECT_TRUE(bed.host.http.asked.empty());
    }
}

}  // namespace
}  // namespace belfry::fakes
