// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <belfry/http.hpp>

#include "fakes/service_host.h"

namespace belfry::fakes {
namespace {

constexpr int64_t kOct21 = 1'445'412'480'000;  // Wed, 21 Oct 2015 07:28:00 GMT

TEST(SdkRetryAfter, IsSecondsOrADate) {
    const auto wait = [](std::string_view value, int64_t date = 0, int64_t now = kOct21 - 60'000) {
        return retry_after_ms(value, date, now);
    };
    EXPECT_EQ(wait("120"), 120'000);
    EXPECT_EQ(wait("0"), 1'000);
    EXPECT_EQ(wait("86401"), 86'400'000);
    EXPECT_EQ(wait("Wed, 21 Oct 2015 07:28:00 GMT"), 60'000);
    EXPECT_EQ(wait("Wed, 21 Oct 2015 07:28:00 GMT", kOct21 - 5'000), 5'000) << "held against the answer's own clock";
    EXPECT_EQ(wait("Wed, 21 Oct 2015 07:28:00 GMT", kOct21 + 5'000), 1'000);
    for (const char* bad :
         {"", "-5", "1.5", "abc", "1000000000000", "99999999999999999999", "Wed, 21 Oct 2015 07:28:00",
          "Wed, 21 oct 2015 07:28:00 GMT", "Wed, 00 Oct 2015 07:28:00 GMT", "Wed, -1 Oct 2015 07:28:00 GMT"})
        EXPECT_FALSE(wait(bad)) << bad;
}

TEST(SdkRetryAfter, KnowsTheCalendar) {
    const auto at = [](const char* date) { return sdk::unix_ms_of_date(date).value_or(-1) / 1000; };
    EXPECT_EQ(at("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
    EXPECT_EQ(at("Tue, 29 Feb 2000 12:00:00 GMT"), 951'825'600);
    EXPECT_EQ(at("Sun, 31 Dec 2023 23:59:59 GMT"), 1'704'067'199);
    EXPECT_EQ(at("Thu, 29 Feb 2024 00:00:00 GMT"), 1'709'164'800);
    EXPECT_EQ(at("Mon, 01 Mar 2100 00:00:00 GMT"), 4'107'542'400);
}

TEST(SdkUrl, IsSplitOrRefusedWithItsPlace) {
    EXPECT_EQ(split_https_url("https://a.test:8/b?c", "k").origin, "https://a.test:8");
    EXPECT_EQ(split_https_url("https://a.test:8/b?c", "k").path, "/b?c");
    EXPECT_EQ(split_https_url("https://a.test", "k").path, "/");
    EXPECT_EQ(https_origin("https://a.test/", "k"), "https://a.test");
    EXPECT_THROW(https_origin("https://a.test/v1", "k"), Refused);
    for (const char* bad : {"", "http://a.test", "https://", "https:///x", "https://a b/", "https://u@a/", "a.test"}) {
        try {
            split_https_url(bad, "k");
            ADD_FAILURE() << bad;
        } catch (const Refused& refused) {
            EXPECT_EQ(refused.code(), BELFRY_CONFIG);
            EXPECT_EQ(refused.where(), "k");
        }
    }
}

class SdkOAuth : public testing::Test {
protected:
    belfry_code code_of(const HttpAnswer& answer, uint32_t busy_ms = 0) {
        try {
            check_passing_trouble(services, answer, busy_ms);
        } catch (const Refused& refused) {
            wait_ms = refused.retry_after_ms();
            return refused.code();
        }
        return BELFRY_OK;
    }
    TestHost host;
    const Services services{host.abi()};
    uint32_t wait_ms = 0;
};

TEST_F(SdkOAuth, TroubleOfTheEndpointPasses) {
    for (const int status : {200, 400, 401, 403, 404}) EXPECT_EQ(code_of({status, "", {}, 0}), BELFRY_OK) << status;
    for (const int status : {408, 500, 502, 590}) {
        EXPECT_EQ(code_of({status, "", {}, 0}, 9), BELFRY_RETRY_LATER) << status;
        EXPECT_EQ(wait_ms, 0U);
    }
    EXPECT_EQ(code_of({503, "", {}, 0}, 9), BELFRY_RETRY_LATER);
    EXPECT_EQ(wait_ms, 9U);
    EXPECT_EQ(code_of({429, "", {{"retry-after", "7"}}, 0}, 9), BELFRY_RETRY_LATER);
    EXPECT_EQ(wait_ms, 7'000U);
}

TEST_F(SdkOAuth, ATokenIsRenewedInTime) {
    std::string value;
    const auto life = [&](const char* body, int64_t unsaid_s = 0) {
        return bearer_token(Json::of(services, body), value, unsaid_s);
    };
    const belfry_credential hour = life(R"({"access_token":"a/b=","expires_in":"3600"})");
    EXPECT_EQ(value, "Bearer a/b=");
    EXPECT_EQ(hour.valid_ms, 3'600'000);
    EXPECT_EQ(hour.refresh_after_ms, 3'300'000);
    EXPECT_EQ(hour.not_again_before_ms, 10'000);
    EXPECT_EQ(life(R"({"access_token":"t","expires_in":60})").refresh_after_ms, 30'000);
    EXPECT_EQ(life(R"({"access_token":"t","expires_in":2})").refresh_after_ms, 1'000);
    EXPECT_EQ(life(R"({"access_token":"t","expires_in":9000000})").valid_ms, 86'400'000);
    EXPECT_EQ(life(R"({"access_token":"t"})", 60).valid_ms, 60'000);
    for (const char* bad : {"", "{}", R"({"access_token":"t"})", R"({"access_token":"t","expires_in":0})",
                            R"({"access_token":"a b","expires_in":60})", R"({"access_token":"","expires_in":60})"})
        EXPECT_THROW(life(bad), Refused) << bad;
}

}  // namespace
}  // namespace belfry::fakes
