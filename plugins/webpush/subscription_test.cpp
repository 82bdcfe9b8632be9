// SPDX-License-Identifier: Apache-2.0
// Tokens: what a PushSubscription must hold, and which endpoints may never be called.
#include "fakes/webpush_bed.h"

namespace belfry::fakes {
namespace {

TEST(WebPushToken, IsItsEndpointAndKeepsItsKeysApart) {
    WebPushBed bed;
    ASSERT_EQ(bed.trouble.code, BELFRY_OK) << bed.trouble.where << ": " << bed.trouble.text;
    const Browser browser(bed.services, "https://wns2-par02p.notify.windows.com/w/?token=BQYAAAD%2bab%3d");
    const auto token = bed.validate(browser.subscription());
    ASSERT_TRUE(token) << bed.trouble.where << ": " << bed.trouble.text;
    EXPECT_EQ(token->token, browser.endpoint);  // byte for byte, escapes as they came
    EXPECT_EQ(token->identity, browser.endpoint);
    EXPECT_EQ(token->data, browser.data());
    EXPECT_NE(token->variant, 0U);
}

TEST(WebPushToken, TakesPaddedAndStandardBase64) {
    WebPushBed bed;
    const Browser browser(bed.services);
    std::string text = browser.subscription();
    for (char& c : text) c = c == '_' ? '/' : c;
    const size_t at = text.find("\"p256dh\":\"") + 10 + 87;
    for (size_t i = at - 87; i < at; ++i) text[i] = text[i] == '-' ? '+' : text[i];
    text.insert(at, "=");
    const auto token = bed.validate(text);
    ASSERT_TRUE(token) << bed.trouble.where << ": " << bed.trouble.text;
    EXPECT_EQ(token->data, browser.data());
}

struct BadKey {
    std::string name, p256dh, auth, where;
};
TEST(WebPushToken, RefusesKeysThatAreNone) {
    const std::string point = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    const std::string auth = "BTBZMqHH6r4Tts7J_aSIgg";
    // Rows of the table of p256dh negatives.
    const BadKey cases[] = {
        {"y_last_bit_flipped",
         "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw8", auth, "keys"},
        {"zero_zero", "B" + std::string(86, 'A'), auth, "keys"},
        {"x_is_p", "BP____8AAAABAAAAAAAAAAAAAAAA________________aOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4", auth,
         "keys"},
        {"x_is_p_alias_of_0", "BP____8AAAABAAAAAAAAAAAAAAAA________________ZkhceA4vg9ckM71dhKBrtlQcKvMdrocXKL-FahdPk_Q",
         auth, "keys"},
        {"compressed", "AiVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcx", auth, "keys.p256dh"},
        {"hybrid", "BiVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4", auth,
         "keys"},
        {"infinity", "AA", auth, "keys.p256dh"},
        {"64_bytes_without_04",
         "JXGyvs3942BVGq8e0PTNNmwRzr5VX4m8t7GGpTM5FzFo7OLr4BhZe9MEebhuPI-OztV3ylkYfpJGmQ22ggCLDg", auth, "keys.p256dh"},
        {"66_bytes", "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4A", auth,
         "keys.p256dh"},
        {"empty", "", auth, "keys.p256dh"},
        {"no_base64", "!!!!", auth, "keys.p256dh"},
        {"blank_inside", point.substr(0, 40) + " " + point.substr(41), auth, "keys.p256dh"},
        {"auth_of_15", point, "BTBZMqHH6r4Tts7J_aSI", "keys.auth"},
        {"auth_of_17", point, "BTBZMqHH6r4Tts7J_aSIggAA", "keys.auth"},
        {"auth_missing", point, "", "keys.auth"}};
    WebPushBed bed;
    for (const BadKey& each : cases) {
        const auto token = bed.validate(R"({"endpoint":"https://fcm.googleapis.com/fcm/send/a","keys":{"p256dh":")" +
                                        each.p256dh + R"(","auth":")" + each.auth + "\"}}");
        EXPECT_FALSE(token) << each.name;
        EXPECT_EQ(bed.trouble.code, BELFRY_BAD_REQUEST) << each.name;
        EXPECT_EQ(bed.trouble.where, each.where) << each.name << ": " << bed.trouble.text;
    }
    const auto valid = bed.validate(
        R"({"endpoint":"https://fcm.googleapis.com/fcm/send/a","keys":{"p256dh":"BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAZkhceA4vg9ckM71dhKBrtlQcKvMdrocXKL-FahdPk_Q","auth":")" +
        auth + "\"}}");
    EXPECT_TRUE(valid) << "valid odd case x=0: " << bed.trouble.text;
}

TEST(WebPushToken, RefusesTextsThatAreNoSubscription) {
    WebPushBed bed;
    for (const char* text : {"", "https://fcm.googleapis.com/fcm/send/abc", "[]", "{}", R"({"endpoint":5})",
                             R"({"endpoint":"https://fcm.googleapis.com/fcm/send/a"})"}) {
        EXPECT_FALSE(bed.validate(text)) << text;
        EXPECT_STRNE(bed.trouble.text.c_str(), "") << text;
    }
}

class WebPushEndpoint : public testing::TestWithParam<std::string> {};

TEST_P(WebPushEndpoint, IsRefused) {
    WebPushBed bed;
    EXPECT_FALSE(bed.validate(Browser(bed.services, GetParam()).subscription()));
    EXPECT_EQ(bed.trouble.code, BELFRY_BAD_REQUEST);
    EXPECT_EQ(bed.trouble.where, "endpoint") << bed.trouble.text;
    // The same for a device that was registered when other rules held.
    const std::string payload = R"({"payload":"x"})";
    const auto encoded = bed.encode({{GetParam(), Browser(bed.services).data(), 0, payload}});
    EXPECT_EQ(encoded.length, 1U);
    EXPECT_TRUE(encoded.requests.empty());
    ASSERT_EQ(encoded.refused.size(), 1U);
    EXPECT_EQ(encoded.refused[0].outcome, BELFRY_REFUSED);
}

INSTANTIATE_TEST_SUITE_P(
    SsrfCases, WebPushEndpoint,
    testing::Values("http://fcm.googleapis.com/fcm/send/a", "https://127.0.0.1/", "https://2130706433/",
                    "https://0x7f.1/", "https://0177.0.0.1/", "https://127.1/", "https://[::1]/",
                    "https://[::ffff:169.254.169.254]/", "https://user@fcm.googleapis.com/",
                    "https://fcm.googleapis.com@evil.tld/", "https://fcm.googleapis.com.evil.tld/",
                    "https://evilnotify.windows.com/", "https://evilpush.apple.com.attacker.tld/",
                    "https://notify.windows.com.evil/", "https://notify.windows.com/", "https://fcm.googleapis.com:22/",
                    "https://FCM.GOOGLEAPIS.COM./", "https://localhost/", "https://push.local/",
                    "https://metadata.google.internal/", "https://intranet/",
                    "https://fcm.g\xD0\xBE\xD0\xBEgleapis.com/x", "https://fcm.googleapis.com/a b",
                    "https://fcm.googleapis.com/a\r\nx: y", "https://fcm.googleapis.com/a#b",
                    "https://fcm.googleapis.com", "https:///x", "https://:443/x", "https://fcm.googleapis.com:/x",
                    "https://fcm.googleapis.com:0/x", "https://fcm.googleapis.com:99999/x",
                    "https://fcm.googleapis.com\\@evil.tld/x", "ftp://fcm.googleapis.com/x",
                    "HTTPS://fcm.googleapis.com/x", "https://fcm.googleapis.com/" + std::string(5000, 'a')));

TEST(WebPushEndpointRules, LetRealShapesThrough) {
    WebPushBed bed;
    for (const char* url :
         {"https://fcm.googleapis.com/fcm/send/cXy:APA91b", "https://fcm.googleapis.com/wp/abc",
          "https://updates.push.services.mozilla.com/wpush/v2/gAAAAABk",
          "https://updates.push.services.mozilla.com/wpush/v1/gAAAAABk", "https://web.push.apple.com/QGkj-x_y",
          "https://api.push.apple.com/3/x", "https://wns2-par02p.notify.windows.com/w/?token=BQYAAAD%2bab%3d",
          "https://FCM.googleapis.com/fcm/send/a", "https://fcm.googleapis.com:443/fcm/send/a"}) {
        EXPECT_TRUE(bed.validate(Browser(bed.services, url).subscription())) << url << ": " << bed.trouble.text;
    }
}

TEST(WebPushEndpointRules, FollowTheConfiguration) {
    WebPushBed any(R"("allowed_origins":["*"])");
    EXPECT_TRUE(any.validate(Browser(any.services, "https://ntfy.example.org/up/x").subscription()))
        << any.trouble.text;
    EXPECT_FALSE(any.validate(Browser(any.services, "https://127.0.0.1/x").subscription()));
    EXPECT_FALSE(any.validate(Browser(any.services, "https://intranet/x").subscription()));
    WebPushBed extra(R"("extra_allowed_origins":["push.example.org:8443","*.unified.example"])");
    EXPECT_TRUE(extra.validate(Browser(extra.services, "https://push.example.org:8443/x").subscription()));
    EXPECT_FALSE(extra.validate(Browser(extra.services, "https://push.example.org/x").subscription()));
    EXPECT_TRUE(extra.validate(Browser(extra.services, "https://a.unified.example/x").subscription()));
    EXPECT_TRUE(extra.validate(Browser(extra.services, "https://fcm.googleapis.com/x").subscription()));
    WebPushBed home(R"("allowed_origins":["127.0.0.1:8090","[::1]:8090","nas"],"allow_private_networks":true)");
    ASSERT_EQ(home.trouble.code, BELFRY_OK) << home.trouble.text;
    for (const char* url : {"https://127.0.0.1:8090/x", "https://[::1]:8090/x", "https://nas/x"})
        EXPECT_TRUE(home.validate(Browser(home.services, url).subscription())) << url << home.trouble.text;
    EXPECT_FALSE(home.validate(Browser(home.services, "https://fcm.googleapis.com/x").subscription()));
    EXPECT_FALSE(home.host.http.endpoints.back().untrusted);
    EXPECT_TRUE(extra.host.http.endpoints.back().untrusted);
}

}  // namespace
}  // namespace belfry::fakes
