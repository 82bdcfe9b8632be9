// SPDX-License-Identifier: Apache-2.0
// Starting with a key file, and every row of the token endpoint's errors. Cases T carry the names of the vectors.
#include "fakes/fcm_bed.h"

namespace belfry::fakes {
namespace {

constexpr int64_t kNowS = 1'700'000'000;  // where the test clock stands

void answer(FcmBed& bed, int status, const std::string& body, const std::string& retry_after = "",
            int64_t date_unix_ms = kNowS * 1000) {
    http::CallAnswer answer{status, body, {}, date_unix_ms};
    if (!retry_after.empty()) answer.headers.emplace_back("retry-after", retry_after);
    bed.host.http.answers.push_back(answer);
}

TEST(FcmOauth, SendsABackdatedAssertionToTheTokenEndpoint) {
    FcmBed bed;
    ASSERT_EQ(bed.trouble.code, BELFRY_OK) << bed.trouble.text;
    answer(bed, 200, R"({"access_token":"ya29.abc","expires_in":3599,"token_type":"Bearer"})");
    const auto credential = bed.authorize();
    ASSERT_TRUE(credential) << bed.trouble.text;
    EXPECT_EQ(credential->value, "Bearer ya29.abc");
    EXPECT_EQ(credential->valid_ms, 3'599'000);
    EXPECT_EQ(credential->refresh_after_ms, 3'299'000);
    EXPECT_EQ(credential->not_again_before_ms, 10'000);

    const auto& asked = bed.host.http.asked.at(0);
    EXPECT_EQ(bed.host.http.endpoints.at(static_cast<size_t>(asked.endpoint)).url, "https://token.test:8");
    EXPECT_EQ(asked.request.method, "POST");
    EXPECT_EQ(asked.request.path, "/token");
    EXPECT_EQ(asked.request.headers.at(0),
              (std::pair<std::string, std::string>("content-type", "application/x-www-form-urlencoded")));
    EXPECT_EQ(asked.deadline_mono_ns, 1'000);
    const std::string& body = asked.request.body;
    const std::string start = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    ASSERT_EQ(body.substr(0, start.size()), start);
    const std::string jwt = body.substr(start.size());
    const size_t dot = jwt.find('.');
    EXPECT_EQ(decoded(jwt.substr(0, dot)), R"({"alg":"RS256","typ":"JWT","kid":"kid-1"})");
    EXPECT_EQ(decoded(jwt.substr(dot + 1, jwt.rfind('.') - dot - 1)),
              R"({"iss":"push@demo.test","scope":"https://www.googleapis.com/auth/firebase.messaging",)"
              R"("aud":"https://token.test:8/token","iat":1699999980,"exp":1700003580})");
}

TEST(FcmOauth, AnotherEndpointKeepsTheAudienceOfTheKeyFile) {
    FcmBed bed(fcm_key_file(), R"("token_endpoint":"https://proxy.test/oauth/token","scope":"a b")");
    answer(bed, 200, R"({"access_token":"t","expires_in":60})");
    ASSERT_TRUE(bed.authorize());
    const auto& asked = bed.host.http.asked.at(0);
    EXPECT_EQ(bed.host.http.endpoints.at(static_cast<size_t>(asked.endpoint)).url, "https://proxy.test");
    EXPECT_EQ(asked.request.path, "/oauth/token");
    const std::string jwt = asked.request.body.substr(asked.request.body.rfind('=') + 1);
    const std::string claims = decoded(jwt.substr(jwt.find('.') + 1, jwt.rfind('.') - jwt.find('.') - 1));
    EXPECT_EQ(json::unescape(json::find(claims, "aud")), "https://token.test:8/token");
    EXPECT_EQ(json::unescape(json::find(claims, "scope")), "a b");
}

TEST(FcmOauth, T10_ShortLivesAreRenewedHalfWay) {
    FcmBed bed;
    answer(bed, 200, R"({"access_token":"t","expires_in":2})");
    auto credential = bed.authorize();
    ASSERT_TRUE(credential);
    EXPECT_EQ(credential->valid_ms, 2'000);
    EXPECT_EQ(credential->refresh_after_ms, 1'000);
    EXPECT_EQ(credential->not_again_before_ms, 1'000);
    answer(bed, 200, R"({"access_token":"t","expires_in":"600","token_type":"Bearer"})");
    credential = bed.authorize();
    ASSERT_TRUE(credential);
    EXPECT_EQ(credential->valid_ms, 600'000);
    EXPECT_EQ(credential->refresh_after_ms, 300'000);
    answer(bed, 200, R"({"access_token":"t"})");
    EXPECT_EQ(bed.authorize()->valid_ms, 3'600'000);
}

struct Case {
    const char* name;
    int status;
    std::string body;
    belfry_code code;
    const char* where;
    const char* says;
    friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};
std::string error_of(const std::string& error, const std::string& description) {
    return R"({"error":")" + error + R"(","error_description":")" + description + "\"}";
}

class FcmTokenAnswer : public testing::TestWithParam<Case> {};
TEST_P(FcmTokenAnswer, HasItsClass) {
    FcmBed bed;
    const Case& c = GetParam();
    answer(bed, c.status, c.body);
    EXPECT_FALSE(bed.authorize());
    EXPECT_EQ(bed.trouble.code, c.code);
    EXPECT_EQ(bed.trouble.where, c.where);
    EXPECT_NE(bed.trouble.text.find(c.says), std::string::npos) << bed.trouble.text;
}
const std::string kWindow =
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp "
    "values in the JWT claim.";
INSTANTIATE_TEST_SUITE_P(
    , FcmTokenAnswer,
    testing::Values(
        Case{"T1_not_a_jwt", 400, error_of("invalid_request", "Bad Request"), BELFRY_CONFIG, "credentials",
             "Bad Request"},
        Case{"T2_bad_signature", 400, error_of("invalid_grant", "Invalid JWT Signature."), BELFRY_AUTH, "credentials",
             "Invalid JWT Signature."},
        Case{"T3_unknown_account", 400, error_of("invalid_grant", "Invalid grant: account not found"), BELFRY_AUTH,
             "credentials", "not found"},
        Case{"T4_no_iat", 400, error_of("invalid_grant", "Invalid JWT: iat (issued at) is not set."), BELFRY_AUTH,
             "credentials", "iat"},
        Case{"T5_window_with_equal_clocks", 400, error_of("invalid_grant", kWindow), BELFRY_AUTH, "clock",
             "although the clocks agree"},
        Case{"T6_empty_scope", 400, error_of("invalid_scope", "Invalid OAuth scope or ID token audience provided."),
             BELFRY_CONFIG, "scope", "scope"},
        Case{"T7_wrong_audience", 400, error_of("invalid_grant", "Invalid JWT: Failed audience check."), BELFRY_CONFIG,
             "credentials.token_uri", "audience"},
        Case{"T8_disabled_client", 401, error_of("disabled_client", "The OAuth client was disabled."), BELFRY_AUTH,
             "credentials", "disabled"},
        Case{"T8b_server_trouble", 503, "", BELFRY_RETRY_LATER, "token_endpoint", "503"},
        Case{"T8c_internal_failure", 400, error_of("internal_failure", ""), BELFRY_RETRY_LATER, "token_endpoint",
             "internal_failure"},
        Case{"T8d_internal_failure_described", 400, error_of("server_error", "internal_failure"), BELFRY_RETRY_LATER,
             "token_endpoint", "400"},
        Case{"T8e_too_many", 429, "<html>", BELFRY_RETRY_LATER, "token_endpoint", "429"},
        Case{"T9_id_token_only", 200, R"({"id_token":"eyJ"})", BELFRY_CONFIG, "scope", "id token"},
        Case{"html_404", 404, "<html>", BELFRY_CONFIG, "token_endpoint", "404"},
        Case{"redirect", 302, "", BELFRY_CONFIG, "token_endpoint", "302"},
        Case{"portals_page", 200, "<html>", BELFRY_RETRY_LATER, "token_endpoint", "without a usable access token"},
        Case{"empty_object", 200, "{}", BELFRY_RETRY_LATER, "token_endpoint", "without a usable access token"},
        Case{"token_would_break_the_header", 200, R"({"access_token":"a\r\nx: y","expires_in":5})", BELFRY_RETRY_LATER,
             "token_endpoint", "usable"},
        Case{"expired_at_once", 200, R"({"access_token":"a","expires_in":-5})", BELFRY_RETRY_LATER, "token_endpoint",
             "usable"},
        Case{"lifetime_of_another_type", 200, R"({"access_token":"a","expires_in":[]})", BELFRY_RETRY_LATER,
             "token_endpoint", "usable"}),
    case_name<Case>);

TEST(FcmOauth, T5_WindowErrorNamesTheSkew) {
    FcmBed bed;
    const int64_t theirs = kNowS * 1000 - 421'000;
    answer(bed, 400, error_of("invalid_grant", kWindow), "", theirs);
    EXPECT_FALSE(bed.authorize());
    EXPECT_EQ(bed.trouble.code, BELFRY_AUTH);
    EXPECT_EQ(bed.trouble.where, "clock");
    EXPECT_NE(bed.trouble.text.find("421 s ahead"), std::string::npos) << bed.trouble.text;
    EXPECT_EQ(bed.host.metrics.value("plugin_fcm_clock_skew_seconds", {{"instance", "fcm"}}), 421);
    answer(bed, 400, error_of("invalid_grant", kWindow), "", kNowS * 1000 + 90'000);
    EXPECT_FALSE(bed.authorize());
    EXPECT_NE(bed.trouble.text.find("90 s behind"), std::string::npos) << bed.trouble.text;
}

TEST(FcmOauth, PassesOnRetryAfter) {
    FcmBed bed;
    answer(bed, 503, "", "17");
    EXPECT_FALSE(bed.authorize());
    EXPECT_EQ(bed.trouble.retry_after_ms, 17'000U);
}

TEST(FcmOauth, NoAnswerIsTroubleThatPasses) {
    FcmBed bed;
    EXPECT_FALSE(bed.authorize());
    EXPECT_EQ(bed.trouble.code, BELFRY_RETRY_LATER);
    EXPECT_EQ(bed.trouble.text, "connection refused");
}

struct Start {
    const char* name;
    std::string key, config;
    belfry_code code;
    const char* where;
    friend void PrintTo(const Start& c, std::ostream* out) { *out << c.name; }
};
class FcmStart : public testing::TestWithParam<Start> {};
TEST_P(FcmStart, SaysWhatIsWrong) {
    const FcmBed bed(GetParam().key, GetParam().config);
    EXPECT_EQ(bed.trouble.code, GetParam().code);
    EXPECT_EQ(bed.trouble.where, GetParam().where);
    EXPECT_EQ(bed.trouble.text.empty(), GetParam().code == BELFRY_OK) << bed.trouble.text;
}
INSTANTIATE_TEST_SUITE_P(
    , FcmStart,
    testing::Values(
        Start{"with_a_key_file_only", fcm_key_file(""), "", BELFRY_OK, ""},
        Start{"no_json", "PEM", "", BELFRY_CONFIG, "credentials"},
        Start{"a_list", "[]", "", BELFRY_CONFIG, "credentials"},
        Start{"a_users_key", R"({"type":"authorized_user"})", "", BELFRY_CONFIG, "credentials"},
        Start{"no_email", R"({"type":"service_account","private_key":"x"})", "", BELFRY_CONFIG,
              "credentials.client_email"},
        Start{"no_key", R"({"type":"service_account","client_email":"x"})", "", BELFRY_CONFIG,
              "credentials.private_key"},
        Start{"broken_key", R"({"type":"service_account","client_email":"x","project_id":"p","private_key":"x"})", "",
              BELFRY_CONFIG, "credentials.private_key"},
        Start{"no_project", R"({"type":"service_account","client_email":"x","private_key":"x"})", "", BELFRY_CONFIG,
              "project_id"},
        Start{"strange_project", fcm_key_file(), R"("project_id":"a/b")", BELFRY_CONFIG, "project_id"},
        Start{"endpoint_with_path", fcm_key_file(), R"("endpoint":"https://x/y")", BELFRY_CONFIG, "endpoint"},
        Start{"endpoint_without_tls", fcm_key_file(), R"("endpoint":"http://x")", BELFRY_CONFIG, "endpoint"},
        Start{"token_endpoint_without_tls", fcm_key_file(), R"("token_endpoint":"http://x/t")", BELFRY_CONFIG,
              "token_endpoint"},
        Start{"token_uri_without_tls", fcm_key_file(R"("token_uri":"ftp://x")"), "", BELFRY_CONFIG,
              "credentials.token_uri"}),
    case_name<Start>);

TEST(FcmCreate, NeedsCredentials) {
    TestHost host;
    belfry_instance* instance = nullptr;
    belfry_why why{};
    EXPECT_EQ(plugin_of(BELFRY_FCM_SO, host.abi()).create(host.abi(), str("fcm"), str("{}"), &instance, &why),
              BELFRY_CONFIG);
    EXPECT_STREQ(why.where, "credentials");
    EXPECT_EQ(instance, nullptr);
}

TEST(FcmCreate, NeedsAWholeHost) {
    const TestHost host({"fcm", "fcm", "", 0, {}, true});
    belfry_instance* instance = nullptr;
    belfry_why why{};
    EXPECT_EQ(plugin_of(BELFRY_FCM_SO, host.abi()).create(host.abi(), str("fcm"), str("{}"), &instance, &why),
              BELFRY_UNSUPPORTED);
    EXPECT_STRNE(why.text, "");
}

}  // namespace
}  // namespace belfry::fakes
