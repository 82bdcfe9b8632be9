// SPDX-License-Identifier: Apache-2.0
// Sections, keys, certificates, provider tokens, device tokens.
#include <belfry/services.h>

#include <memory>

#include "fakes/apns_bed.h"

namespace belfry::fakes {
namespace {

TEST(ApnsConfig, DeclaresEndpointsThatBelongToOneKey) {
    ApnsBed bed;
    ASSERT_EQ(bed.trouble.code, BELFRY_OK) << bed.trouble.text;
    ASSERT_EQ(bed.host.http.endpoints.size(), 4U);
    const http::EndpointConfig& production = bed.host.http.endpoints[0];
    EXPECT_EQ(production.url, "https://api.push.apple.com");
    EXPECT_EQ(production.partition.rfind("TEAM123456/ABCDE12345/", 0), 0U) << production.partition;
    EXPECT_TRUE(production.wait_settings);
    EXPECT_FALSE(production.http1_ok);
    EXPECT_EQ(production.client_cert_pem, "");
    EXPECT_EQ(bed.host.http.endpoints[1].url, "https://api-broadcast.push.apple.com");
    ApnsBed both(kApnsKeySection + kApnsTopic + R"(,"environment":"both","sandbox_endpoint":"https://sandbox.test:7")");
    ASSERT_EQ(both.host.http.endpoints.size(), 5U);
    EXPECT_EQ(both.host.http.endpoints[1].url, "https://sandbox.test:7");
    EXPECT_EQ(both.host.http.endpoints[1].partition, production.partition);
    ApnsBed sandbox(kApnsKeySection + kApnsTopic + R"(,"environment":"sandbox")");
    ASSERT_EQ(sandbox.host.http.endpoints.size(), 4U);
    EXPECT_EQ(sandbox.host.http.endpoints[0].url, "https://api.sandbox.push.apple.com");
    EXPECT_EQ(sandbox.host.http.endpoints[1].url, "https://api-broadcast.sandbox.push.apple.com");
}

TEST(ApnsConfig, SaysWhatIsMissingOrWrong) {
    const auto refused = [](const std::string& section) {
        ApnsBed bed(section);
        EXPECT_EQ(bed.trouble.code, BELFRY_CONFIG) << section;
        EXPECT_GT(bed.trouble.text.size(), 10U) << section;
        return bed.trouble.where;
    };
    EXPECT_EQ(refused(R"("topic":"com.example.app")"), "key");
    EXPECT_EQ(refused(kApnsKeySection + R"(,"certificate":{"$secret":"p12"})"), "key");
    EXPECT_EQ(refused(R"("key":{"$secret":"p8"},"team_id":"TEAM123456")"), "key_id");
    EXPECT_EQ(refused(R"("key":{"$secret":"p8"},"key_id":"ABCDE12345")"), "team_id");
    EXPECT_EQ(refused(R"("key":{"$secret":"wrong"},"key_id":"ABCDE12345","team_id":"TEAM123456")"), "key");
    EXPECT_EQ(refused(R"("certificate":{"$secret":"p12"},"certificate_password":{"$secret":"wrong"})"), "certificate");
    EXPECT_EQ(refused(R"("certificate":{"$secret":"wrong"})"), "certificate");
}

TEST(ApnsConfig, CertificatesSpeakForThemselves) {
    ApnsBed bed(R"("certificate":{"$secret":"p12"},"certificate_password":{"$secret":"password"})");
    ASSERT_EQ(bed.trouble.code, BELFRY_OK) << bed.trouble.text;
    const http::EndpointConfig& endpoint = bed.host.http.endpoints.at(0);
    EXPECT_EQ(endpoint.partition.rfind("certificate/", 0), 0U);
    EXPECT_NE(endpoint.client_cert_pem.find("BEGIN CERTIFICATE"), std::string::npos);
    EXPECT_NE(endpoint.client_key_pem.find("BEGIN PRIVATE KEY"), std::string::npos);
    const auto request = bed.prepare(R"({"payload":{"aps":{"alert":"hi"}}})", "00ff");
    ASSERT_TRUE(request) << bed.trouble.text;
    EXPECT_EQ(request->credential, -1);
    EXPECT_NE(std::find(request->headers.begin(), request->headers.end(), "apns-topic: com.example.app"),
              request->headers.end())
        << "the subject's UID";
    EXPECT_FALSE(bed.authorize());
    EXPECT_EQ(bed.trouble.code, BELFRY_UNSUPPORTED);
    EXPECT_GT(bed.host.metrics.value("plugin_apns_certificate_not_after_seconds", {{"instance", "apns"}}), 4.1e9);
}

TEST(ApnsConfig, ACertificateThatHasEndedIsRefusedAndTheHostLearnsWhenItWill) {
    const std::string section = R"("certificate":{"$secret":"p12"},"certificate_password":{"$secret":"password"})";
    const auto at = [&](std::chrono::hours before_its_end) {
        ApnsHost parts;
        const auto end = std::chrono::seconds(4'948'926'018);  // of kKeychainP12
        const auto now = std::chrono::milliseconds(parts.host.clock.unix_ms());
        parts.host.clock.advance(end - before_its_end - now);
        ProviderInstance apns(BELFRY_APNS_SO, "apns", parts.host.abi(), "{" + section + "}");
        EXPECT_EQ(parts.host.instance->seen_credentials().certificate_until_unix_ms, 4'948'926'018'000);
        return apns.trouble.text;
    };
    EXPECT_EQ(at(std::chrono::hours(1)), "");
    EXPECT_NE(at(-std::chrono::hours(1)).find("it has expired"), std::string::npos);
}

TEST(ApnsCredential, IsAnEs256TokenForFiftyFiveMinutes) {
    ApnsBed bed;
    const auto credential = bed.authorize();
    ASSERT_TRUE(credential) << bed.trouble.text;
    EXPECT_EQ(credential->valid_ms, 55 * 60'000);
    EXPECT_EQ(credential->refresh_after_ms, 45 * 60'000);
    // {"alg":"ES256","kid":"ABCDE12345"}
    EXPECT_EQ(credential->value.rfind("bearer eyJhbGciOiJFUzI1NiIsImtpZCI6IkFCQ0RFMTIzNDUifQ.", 0), 0U)
        << credential->value;
    constexpr size_t kSignature = 86;  // 64 bytes in base64url
    EXPECT_EQ(credential->value.size() - credential->value.rfind('.') - 1, kSignature);
}

TEST(ApnsCredential, IsOnePerKeyWhateverTheNumberOfInstances) {
    const auto bed_of = [](const char* more) { return std::make_unique<ApnsBed>(kApnsKeySection + kApnsTopic + more); };
    const auto first = bed_of(""), voip = bed_of(R"(,"environment":"both")");
    const auto one = first->authorize(), other = voip->authorize();
    ASSERT_TRUE(one && other);
    EXPECT_EQ(one->value, other->value) << "they share connections, and APNs takes one token on each";
    EXPECT_EQ(first->host.http.endpoints[0].partition, voip->host.http.endpoints[0].partition);
    const auto another_key = std::make_unique<ApnsBed>(
        R"("key":{"$secret":"p8"},"key_id":"ZZZZZ12345","team_id":"TEAM123456")" + kApnsTopic);
    EXPECT_NE(another_key->authorize()->value, one->value);
}

TEST(ApnsCredential, IsMadeAnewWhenTheClockWasSet) {
    ApnsBed bed;
    const auto first = bed.authorize();
    bed.host.clock.advance(std::chrono::minutes(5));
    ASSERT_EQ(bed.authorize()->value, first->value) << "not twice in 20 minutes";
    bed.host.clock.set_ahead(-std::chrono::hours(1));
    const auto second = bed.authorize();
    EXPECT_NE(second->value, first->value) << "APNs would find it to be from the future";
    EXPECT_EQ(second->valid_ms, 55 * 60'000);
    EXPECT_EQ(bed.authorize()->value, second->value);
}

TEST(ApnsToken, IsHexInLowerCase) {
    ApnsBed bed;
    const auto validate = [&](std::string_view token) {
        auto asked = sized<belfry_token>();
        asked.token = str(token);
        std::string out;
        belfry_why why{};
        const belfry_code code = collect<belfry_token>(
            [&](auto emit, void* ctx) { return bed.provider().validate(bed.instance(), &asked, emit, ctx, &why); },
            [&](const belfry_token& row) {
                EXPECT_EQ(view(row.token), view(row.identity));
                out = text(row.token) + "/" + std::to_string(row.variant);
            });
        return code == BELFRY_OK ? out : "refused at " + std::string(why.where);
    };
    EXPECT_EQ(validate("00FC13adff"), "00fc13adff/0");
    EXPECT_EQ(validate(std::string(400, 'a')), std::string(400, 'a') + "/0");
    for (const std::string& bad : {std::string(), std::string("abc"), std::string("0g"), std::string("ab cd"),
                                   std::string(402, 'a'), std::string("ok-1")}) {
        EXPECT_EQ(validate(bad), "refused at token") << bad;
    }
}

TEST(ApnsToken, HasAnEnvironmentThatIsAGuessOnlyWhereBothAreServed) {
    for (const auto& [environment, flags] :
         {std::pair<std::string, uint32_t>{"production", 0}, {"sandbox", 0}, {"both", BELFRY_TOKEN_VARIANT_GUESSED}}) {
        ApnsBed bed(kApnsKeySection + kApnsTopic + R"(,"environment":")" + environment + "\"");
        const auto token = bed.validate("00fc13adff");
        ASSERT_TRUE(token) << bed.trouble.text;
        EXPECT_EQ(token->flags, flags) << environment;
        EXPECT_EQ(token->variant, environment == "sandbox" ? 1U : 0U) << environment;
    }
}

}  // namespace
}  // namespace belfry::fakes
