// SPDX-License-Identifier: Apache-2.0
// The section and the key pairs behind it.
#include <algorithm>

#include "fakes/webpush_bed.h"

namespace belfry::fakes {
namespace {

TEST(WebPushConfig, RefusesSubjectsThatApplesServiceRefuses) {
    WebPushBed bed;
    for (const char* subject :
         {"mailto: a@example.com", "mailto:<a@example.com>", "mailto:a@localhost", "a@example.com",
          "http://example.com", "", "mailto:@example.com", "https://localhost/", "https://", "mailto:a@.com"}) {
        bed.start(std::string(R"({"subject":")") + subject + "\"}");
        EXPECT_EQ(bed.trouble.code, BELFRY_CONFIG) << subject;
        EXPECT_EQ(bed.trouble.where, "subject") << subject;
    }
    for (const char* subject : {"mailto:ops@example.com", "https://example.com", "https://example.com/contact"}) {
        bed.start(std::string(R"({"subject":")") + subject + "\"}");
        EXPECT_EQ(bed.trouble.code, BELFRY_OK) << subject << ": " << bed.trouble.text;
    }
}

TEST(WebPushConfig, RefusesPatternsThatAreNone) {
    for (const char* pattern : {"", "*push.apple.com", "a b", "http://x.test", "host:port", "host:0", "*:x", "a..b"}) {
        WebPushBed bed(std::string(R"("extra_allowed_origins":[")") + pattern + "\"]");
        EXPECT_EQ(bed.trouble.code, BELFRY_CONFIG) << pattern;
    }
}

TEST(WebPushKeys, AreMadeOnceForTheClusterAndPrinted) {
    MemoryClusterState cluster;
    WebPushBed first("", {}, &cluster), second("", {}, &cluster);
    ASSERT_EQ(first.trouble.code, BELFRY_OK) << first.trouble.text;
    ASSERT_EQ(cluster.values.size(), 1U);
    const auto printed = [](WebPushBed& bed) {
        const auto line = std::find_if(bed.host.log.lines.begin(), bed.host.log.lines.end(), [](const auto& each) {
            return each.fields.starts_with("application_server_key=");
        });
        return line == bed.host.log.lines.end() ? "" : line->fields;
    };
    EXPECT_EQ(printed(first).size(), std::string("application_server_key=").size() + 87);
    EXPECT_EQ(printed(first), printed(second));
    for (const auto& line : first.host.log.lines)
        EXPECT_EQ(line.fields.find(cluster.values.begin()->second.value), std::string::npos) << "the private key leaks";
}

TEST(WebPushKeys, TheClustersStayGoodWhenOthersAreConfigured) {
    MemoryClusterState cluster;
    WebPushBed made("", {}, &cluster);
    const Browser browser(made.services);
    const auto device = made.validate(browser.subscription());
    ASSERT_TRUE(device) << made.trouble.text;
    const std::string key = crypto::base64url(made.services.p256_key().scalar);
    WebPushBed configured(R"("vapid_private_key":{"$secret":"n"})", {{"n", key}}, &cluster);
    ASSERT_EQ(configured.trouble.code, BELFRY_OK) << configured.trouble.text;
    EXPECT_NE(configured.validate(browser.subscription())->variant, device->variant);
    const auto before = made.encode({{device->token, device->data, device->variant, R"({"payload":"x"})"}});
    const auto after = configured.encode({{device->token, device->data, device->variant, R"({"payload":"x"})"}});
    const auto signer = [](const std::string& authorization) {
        return authorization.substr(authorization.find(", k="));
    };
    ASSERT_EQ(after.requests.size(), 1U);
    EXPECT_EQ(signer(after.requests[0].headers.at("authorization")),
              signer(before.requests[0].headers.at("authorization")));
}

TEST(WebPushKeys, WaitForTheStorageThatKeepsThem) {
    WebPushBed bed;
    bed.host.services.set_cluster_state(nullptr);
    bed.start(R"({"subject":"mailto:ops@example.com"})");
    EXPECT_EQ(bed.trouble.code, BELFRY_RETRY_LATER) << bed.trouble.text;
}

TEST(WebPushKeys, AreReadAsNumberPaddedOrPem) {
    WebPushBed bed;
    const P256Key key = bed.services.p256_key();
    const std::string number = crypto::base64url(key.scalar);
    const std::string pub = R"(,"vapid_public_key":")" + crypto::base64url(key.public_point) + "\"";
    const std::string secret = R"("vapid_private_key":{"$secret":"k"})";
    for (const std::string& form : {number, number + "=", key.pem}) {
        WebPushBed each(secret + pub, {{"k", form}});
        EXPECT_EQ(each.trouble.code, BELFRY_OK) << each.trouble.where << ": " << each.trouble.text;
        EXPECT_TRUE(each.own_cluster.values.empty());
    }
    WebPushBed short_one(secret, {{"k", crypto::base64url(std::string(31, '\x11'))}});
    EXPECT_EQ(short_one.trouble.code, BELFRY_OK) << short_one.trouble.text;
    WebPushBed mismatch(secret + pub, {{"k", crypto::base64url(bed.services.p256_key().scalar)}});
    EXPECT_EQ(mismatch.trouble.code, BELFRY_CONFIG);
    EXPECT_EQ(mismatch.trouble.where, "vapid_public_key");
    for (const std::string& bad : {std::string("?"), std::string(), std::string(43, 'A'), std::string("short of PEM"),
                                   std::string("AQ"), number.substr(0, 38), number + "AAAA"}) {
        WebPushBed refused(secret, {{"k", bad}});
        EXPECT_EQ(refused.trouble.code, BELFRY_CONFIG) << bad;
        EXPECT_EQ(refused.trouble.where, "vapid_private_key") << bad;
    }
}

TEST(WebPushKeys, GivenTwiceAreOnePair) {
    WebPushBed bed;
    const std::string key = crypto::base64url(bed.services.p256_key().scalar);
    WebPushBed twice(R"("vapid_private_key":{"$secret":"n"},"vapid_previous_keys":[{"$secret":"n"}])", {{"n", key}});
    ASSERT_EQ(twice.trouble.code, BELFRY_OK) << twice.trouble.text;
    EXPECT_EQ(twice.decode({400, R"({"reason":"VapidPkHashMismatch"})"}).outcome, BELFRY_DEVICE_GONE)
        << "there is no other pair to try";
}

TEST(WebPushKeys, TheOtherOneIsTriedBeforeAMessageIsRefused) {
    WebPushBed bed;
    const auto [now, before] = two_keys(bed.services);
    WebPushBed two(R"("vapid_private_key":{"$secret":"n"},"vapid_previous_keys":[{"$secret":"b"}])",
                   {{"n", crypto::base64url(now.scalar)}, {"b", before.pem}});
    const Browser browser(two.services);
    const auto device = two.validate(browser.subscription());
    ASSERT_TRUE(device) << two.trouble.text;
    EXPECT_EQ(device->flags, static_cast<uint32_t>(BELFRY_TOKEN_VARIANT_GUESSED));
    WebPushBed::Answer mismatch{403, "the credentials do not correspond to those of the subscription"};
    mismatch.variant = device->variant;
    const auto again = two.decode(mismatch);
    EXPECT_EQ(again.flags, static_cast<uint32_t>(BELFRY_VERDICT_RESEND));
    const auto encoded = two.encode({{device->token, device->data, again.variant, R"({"payload":"x"})"}});
    ASSERT_EQ(encoded.requests.size(), 1U);
    EXPECT_NE(encoded.requests[0].headers.at("authorization").find(crypto::base64url(before.public_point)),
              std::string::npos);
    WebPushBed::Answer taken;
    taken.resent = 1;
    taken.variant = again.variant;
    const auto learnt = two.decode(taken);
    EXPECT_EQ(learnt.outcome, BELFRY_ACCEPTED);
    EXPECT_EQ(learnt.flags, static_cast<uint32_t>(BELFRY_VERDICT_LEARN_VARIANT));
    EXPECT_EQ(learnt.variant, again.variant);
    mismatch.variant = again.variant;
    mismatch.resent = 1;
    const auto neither = two.decode(mismatch);
    EXPECT_EQ(neither.outcome, BELFRY_REFUSED) << "no word about the subscription";
    EXPECT_EQ(neither.flags, 0U);
}

TEST(WebPushKeys, SubscriptionsRememberTheirs) {
    WebPushBed bed;
    const auto [now, before] = two_keys(bed.services);
    WebPushBed two(R"("vapid_private_key":{"$secret":"n"},"vapid_previous_keys":[{"$secret":"b"}])",
                   {{"n", crypto::base64url(now.scalar)}, {"b", before.pem}});
    ASSERT_EQ(two.trouble.code, BELFRY_OK) << two.trouble.text;
    const Browser browser(two.services);
    const auto with = [&](const P256Key& key) {
        return two.validate(
            browser.subscription(R"(,"applicationServerKey":")" + crypto::base64url(key.public_point) + "\""));
    };
    const auto plain = two.validate(browser.subscription()), newer = with(now), older = with(before);
    ASSERT_TRUE(plain && newer && older) << two.trouble.text;
    EXPECT_EQ(plain->variant, newer->variant);
    EXPECT_NE(older->variant, newer->variant);
    EXPECT_FALSE(with(two.services.p256_key()));
    EXPECT_EQ(two.trouble.where, "applicationServerKey");
    const std::string payload = R"({"payload":"x"})";
    uint32_t neither = 0;
    while (neither == older->variant || neither == newer->variant) ++neither;
    const auto encoded = two.encode({{older->token, older->data, older->variant, payload},
                                     {newer->token, newer->data, newer->variant, payload},
                                     {newer->token, newer->data, neither, payload}});
    ASSERT_EQ(encoded.requests.size(), 2U);
    const auto k = [&](const Written& request) {
        const std::string& value = request.headers.at("authorization");
        return value.substr(value.find(", k=") + 4);
    };
    EXPECT_EQ(k(encoded.requests[0]), crypto::base64url(before.public_point));
    EXPECT_EQ(k(encoded.requests[1]), crypto::base64url(now.public_point));
    ASSERT_EQ(encoded.refused.size(), 1U);
    EXPECT_NE(encoded.refused[0].reason.find("vapid_previous_keys"), std::string::npos);
}

}  // namespace
}  // namespace belfry::fakes
