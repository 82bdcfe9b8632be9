// SPDX-License-Identifier: Apache-2.0
// What hms.md section 15 asks of a faithful Push Kit: credentials, messages, tokens, flow and topics.
#include "hms/backend.h"

#include <gtest/gtest.h>
#include <openssl/rsa.h>

#include <nlohmann/json.hpp>

#include "fcm/base64url.h"
#include "hms/credentials.h"
#include "testing/fake_clock.h"

namespace belfry::simulator {
namespace {

using nlohmann::json;

const std::string kData = R"("data":"{\"k\":\"v\"}")";
const std::string kShown = R"("android":{"notification":{"title":"t","body":"b","click_action":{"type":3}}})";
const std::string kAlert = R"("payload":{"notification":{"title":"t","body":"b","clickAction":{"actionType":0}}})";

std::string sign_ps256(EVP_PKEY* key, const json& header, const json& claims, int salt = 32) {
    const std::string part = base64url_encode(header.dump()) + '.' + base64url_encode(claims.dump());
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    EVP_PKEY_CTX* inner = nullptr;
    EVP_DigestSignInit(context.get(), &inner, EVP_sha256(), nullptr, key);
    EVP_PKEY_CTX_set_rsa_padding(inner, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(inner, salt);
    std::string signature(512, '\0');
    std::size_t size = signature.size();
    EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                   reinterpret_cast<const unsigned char*>(part.data()), part.size());
    signature.resize(size);
    return part + '.' + base64url_encode(signature);
}

class HmsBackendTest : public testing::Test {
protected:
    HmsBackendTest() : world_(clock_, {1000, 100}, 1), hms_(world_) {
        static const Key key = make_rsa_key();  // slow to make
        EVP_PKEY_up_ref(key.get());
        world_.hms.app = {"100", "900", "a+b/=", "kid-1", "sub-1", Key(key.get())};
    }

    json answer(const Plan& plan) const { return json::parse(plan.reply.body, nullptr, false); }
    Plan post(const std::string& path, const std::string& body, const std::vector<Header>& headers) {
        Request request;
        request.method = "POST";
        request.path = path;
        request.authority = "localhost";
        request.body = body;
        request.headers = headers;
        return hms_.handle(std::move(request));
    }
    Plan oauth(const std::string& form) {
        return post("/oauth2/v3/token", form, {{"content-type", "application/x-www-form-urlencoded"}});
    }
    std::string access_token() {
        return answer(oauth("grant_type=client_credentials&client_id=100&client_secret=a%2Bb%2F%3D"))
            .value("access_token", "");
    }
    json claims(std::int64_t age_s = 0, std::int64_t life_s = 3600) const {
        const auto now = std::chrono::duration_cast<std::chrono::seconds>(clock_.wall().time_since_epoch()).count();
        return {{"iss", "sub-1"},
                {"aud", "https://oauth-login.cloud.huawei.com/oauth2/v3/token"},
                {"iat", now - age_s},
                {"exp", now - age_s + life_s}};
    }
    std::string jwt(const json& by, const json& header = {{"kid", "kid-1"}, {"typ", "JWT"}, {"alg", "PS256"}}) const {
        return sign_ps256(world_.hms.app.key.get(), header, by);
    }
    std::vector<Header> headers(const std::string& bearer, const std::string& push_type = "") const {
        std::vector<Header> all{{"authorization", "Bearer " + bearer},
                                {"content-type", "application/json; charset=utf-8"}};
        if (!push_type.empty()) all.push_back({"push-type", push_type});
        return all;
    }
    // The result code of a v1 body.
    std::string v1(const std::string& body) {
        if (token_.empty()) token_ = access_token();
        last_ = post("/v1/100/messages:send", body, headers(token_));
        return code_of(last_);
    }
    std::string code_of(const Plan& plan) const {
        const json said = answer(plan);
        return said.is_object() ? said.value("code", "") : "";
    }
    std::string v3(const std::string& body, const std::string& push_type = "0") {
        last_ = post("/v3/900/messages:send", body, headers(jwt(claims()), push_type));
        return code_of(last_);
    }
    static std::string tokens(std::size_t n) {
        std::string list;
        for (std::size_t i = 0; i < n; ++i) list += (i == 0 ? "\"t" : ",\"t") + std::to_string(i) + "\"";
        return list;
    }
    std::uint64_t received(const std::string& token) const {
        const Phones::Phone* phone = world_.phones.find(token);
        return phone == nullptr ? 0 : phone->received;
    }

    FakeClock clock_;
    World world_;
    HmsBackend hms_;
    std::string token_;
    Plan last_;
};

TEST_F(HmsBackendTest, OAuthChecksEveryField) {
    const auto refused = [&](const std::string& form) {
        const Plan plan = oauth(form);
        EXPECT_EQ(plan.reply.status, 400);
        return answer(plan).value("sub_error", 0);
    };
    const std::string grant = "grant_type=client_credentials&";
    EXPECT_EQ(refused("client_id=100&client_secret=a%2Bb%2F%3D"), 20182);
    EXPECT_EQ(refused(grant + "client_id=1x&client_secret=s"), 20002);
    EXPECT_EQ(refused(grant + "client_id=101&client_secret=s"), 20003);
    EXPECT_EQ(refused(grant + "client_id=100"), 20171);
    EXPECT_EQ(refused(grant + "client_id=100&client_secret=a+b/="), 12304);  // pasted unescaped
    EXPECT_EQ(post("/oauth2/v3/token", "{}", {{"content-type", "application/json"}}).reply.status, 400);
}

TEST_F(HmsBackendTest, OAuthGivesTheSameTokenWithWhatIsLeftOfItsLife) {
    world_.settings.token_lifetime_s = 60;
    const Plan first = oauth("grant_type=client_credentials&client_id=100&client_secret=a%2Bb%2F%3D");
    EXPECT_NE(first.reply.body.find(R"(DQEB\/)"), std::string::npos);
    EXPECT_EQ(answer(first)["expires_in"], 60);
    clock_.advance(std::chrono::seconds(50));
    const Plan second = oauth("grant_type=client_credentials&client_id=100&client_secret=a%2Bb%2F%3D");
    EXPECT_EQ(answer(second)["expires_in"], 10);
    EXPECT_EQ(answer(second)["access_token"], answer(first)["access_token"]);
    clock_.advance(std::chrono::seconds(10));
    EXPECT_NE(access_token(), answer(first).value("access_token", ""));
    EXPECT_EQ(world_.hms.tokens_issued, 2U);
}

TEST_F(HmsBackendTest, TellsExpiredTokensFromUnknownOnes) {
    const std::string body = R"({"message":{)" + kData + R"(,"token":["T1"]}})";
    EXPECT_EQ(v1(body), "80000000");
    expire_hms_tokens(world_);
    EXPECT_EQ(v1(body), "80200003");
    EXPECT_EQ(last_.reply.status, 401);
    token_.clear();
    EXPECT_EQ(v1(body), "80000000");
    revoke_hms_tokens(world_);
    EXPECT_EQ(v1(body), "80200001");
    world_.settings.hms_auth_status = 200;
    EXPECT_EQ(answer(post("/v1/100/messages:send", body, {}))["code"], "80200001");
    EXPECT_EQ(received("T1"), 2U);
}

TEST_F(HmsBackendTest, ASignedTokenMustBeRightInEveryPart) {
    const std::string body = R"({"target":{"token":["next-1"]},)" + kAlert + "}";
    const auto code = [&](const std::string& bearer) {
        return answer(post("/v3/900/messages:send", body, headers(bearer, "0"))).value("code", "");
    };
    EXPECT_EQ(code(jwt(claims())), "80000000");
    EXPECT_EQ(code(jwt(claims(4000))), "80200005");
    EXPECT_EQ(code(jwt(claims(0, 90'000))), "80300036");
    EXPECT_EQ(code(jwt(claims(-60))), "80200001");
    EXPECT_EQ(code(jwt(claims(), {{"kid", "kid-2"}, {"typ", "JWT"}, {"alg", "PS256"}})), "80200001");
    EXPECT_EQ(code(jwt(claims(), {{"kid", "kid-1"}, {"typ", "JWT"}, {"alg", "RS256"}})), "80200001");
    json other = claims();
    other["iss"] = "sub-2";
    EXPECT_EQ(code(jwt(other)), "80200001");
    other = claims();
    other["aud"] = "https://elsewhere";
    EXPECT_EQ(code(jwt(other)), "80200001");
    const json header = {{"kid", "kid-1"}, {"typ", "JWT"}, {"alg", "PS256"}};
    EXPECT_EQ(code(sign_ps256(world_.hms.app.key.get(), header, claims(), 20)), "80200001");
    EXPECT_EQ(code(jwt(claims()) + "x"), "80200001");
    EXPECT_EQ(code(access_token()), "80200001");  // an OAuth token is none of v3
}

TEST_F(HmsBackendTest, AnotherAppsPathIsRefused) {
    const std::string body = R"({"message":{)" + kData + R"(,"token":["T1"]}})";
    const auto code = [&](const std::string& path) {
        return answer(post(path, body, headers(access_token())))["code"];
    };
    EXPECT_EQ(code("/v1/101/messages:send"), "80200001");
    EXPECT_EQ(code("/v2/900/messages:send"), "80000000");
    EXPECT_EQ(code("/v2/901/messages:send"), "80300002");
    EXPECT_EQ(post("/v4/100/messages:send", body, {}).reply.status, 404);
}

TEST_F(HmsBackendTest, ChecksMessagesOfV1) {
    const auto with = [&](const std::string& members) { return v1(R"({"message":{"token":["T1"],)" + members + "}}"); };
    EXPECT_EQ(with(kData), "80000000");
    EXPECT_EQ(with(kShown), "80000000");
    EXPECT_EQ(v1("[]"), "80100003");
    EXPECT_EQ(v1(R"({"mesage":{}})"), "80300010");
    EXPECT_EQ(v1(R"({"message":{"tokens":["T1"],)" + kData + "}}"), "80300010");
    EXPECT_EQ(v1(R"({"message":{"token":[],)" + kData + "}}"), "80300010");
    EXPECT_EQ(v1(R"({"message":{"token":[)" + tokens(1000) + "]," + kData + "}}"), "80000000");
    EXPECT_EQ(v1(R"({"message":{"token":[)" + tokens(1001) + "]," + kData + "}}"), "80300010");
    EXPECT_EQ(with(R"("topic":"a",)" + kData), "80100001");
    EXPECT_EQ(with(R"("data":{"k":"v"})"), "80100003");
    EXPECT_EQ(with(R"("android":{})"), "80100003");
    EXPECT_EQ(with(R"("android":{"notification":{"title":"t","body":"b"}})"), "80100003");
    EXPECT_EQ(with(R"("notification":{"title":"t","body":"b"},"android":{"notification":{"click_action":{"type":3}}})"),
              "80000000");
    EXPECT_EQ(with(R"("android":{"notification":{"title":"t","body":"b","style":1,"click_action":{"type":3}}})"),
              "80100003");
    EXPECT_EQ(
        with(R"("android":{"notification":{"title":"t","body":"b","importance":"HIGH","click_action":{"type":3}}})"),
        "80300011");
    for (const char* good : {"86400s", "86400", "1.5", "1.500s", "10S"})
        EXPECT_EQ(with(kData + R"(,"android":{"ttl":")" + good + "\"}"), "80000000") << good;
    for (const char* bad : {"", "s", "1.5.0", "1h", "-1s", "1.0123456789s"})
        EXPECT_EQ(with(kData + R"(,"android":{"ttl":")" + bad + "\"}"), "80100001") << bad;
    EXPECT_EQ(with(kData + R"(,"android":{"ttl":"0s"})"), "80100004");
    EXPECT_EQ(with(kData + R"(,"android":{"collapse_key":100})"), "80000000");
    EXPECT_EQ(with(kData + R"(,"android":{"collapse_key":101})"), "80100013");
}

TEST_F(HmsBackendTest, CountsBytesWithoutTheTokens) {  // 17.3
    const std::string start = R"({"message":{"token":[)", middle = R"(],"data":")";
    const auto sized = [&](std::size_t bytes, std::size_t n) {
        return start + tokens(n) + middle + std::string(bytes - start.size() - middle.size() - 3, 'x') + "\"}}";
    };
    EXPECT_EQ(v1(sized(4096, 1)), "80000000");
    EXPECT_EQ(v1(sized(4096, 1000)), "80000000");
    EXPECT_EQ(v1(sized(4097, 1)), "80300008");
    EXPECT_EQ(last_.reply.status, 400);
}

TEST_F(HmsBackendTest, ValidateOnlyReachesNobody) {
    EXPECT_EQ(v1(R"({"validate_only":true,"message":{"token":["T1"],)" + kData + "}}"), "80000000");
    EXPECT_EQ(received("T1"), 0U);
    EXPECT_TRUE(world_.journal.list(1, 1).at(0).validate_only);
}

TEST_F(HmsBackendTest, NamesBadTokensOfABatch) {
    EXPECT_EQ(v1(R"({"message":{"token":["ok-1","illegal-1","foreign-1","next-1"],)" + kData + "}}"), "80100000");
    EXPECT_EQ(answer(last_)["msg"], R"({"success":1,"failure":3,"illegal_tokens":["foreign-1","illegal-1","next-1"]})");
    EXPECT_EQ(received("ok-1"), 1U);
    EXPECT_EQ(received("illegal-1"), 0U);
    EXPECT_EQ(v1(R"({"message":{"token":["illegal-1"],)" + kData + "}}"), "80300007");
    EXPECT_EQ(answer(last_)["msg"], "All the tokens are invalid");
    world_.settings.hms_foreign_app = true;
    EXPECT_EQ(v1(R"({"message":{"token":["ok-1","ok-2"],)" + kData + "}}"), "80300007");
}

TEST_F(HmsBackendTest, SaysInV3WhyATokenIsBad) {
    const auto send = [&](const std::string& list) {
        return v3(R"({"target":{"token":[)" + list + "]}," + kAlert + "}");
    };
    EXPECT_EQ(send(R"("next-1","next-illegal-1","old-1")"), "80100000");
    EXPECT_EQ(
        answer(last_)["msg"],
        R"({"success":1,"failure":2,"illegalTokens":{"noRight":["old-1"],"tokenFormatError":["next-illegal-1"]}})");
    EXPECT_EQ(send(R"("next-foreign-1")"), "80300007");
    EXPECT_EQ(answer(last_)["msg"], R"({"failure":1,"illegalTokens":{"noRight":["next-foreign-1"]}})");
    world_.settings.hms_objects = world_.settings.hms_blanks = world_.settings.hms_numbers = true;
    const json varied =
        answer(post("/v3/900/messages:send", R"({"target":{"token":["next-1","next-live-1"]},)" + kAlert + "}",
                    headers(jwt(claims()), "0")));
    EXPECT_EQ(varied["code"], 80100000);
    EXPECT_TRUE(varied["msg"]["illegalTokens"].contains(" noRightToSendThisLiveNotificationEvent "));
}

TEST_F(HmsBackendTest, ChecksMessagesOfV3) {
    const auto with = [&](const std::string& members, const std::string& type = "0",
                          const std::string& list = "\"next-1\"") {
        return v3(R"({"target":{"token":[)" + list + "]}," + members + "}", type);
    };
    EXPECT_EQ(with(kAlert), "80000000");
    EXPECT_EQ(json::parse(world_.phones.find("next-1")->last.back().headers)["push-type"], "0");
    EXPECT_EQ(with(kAlert, "99"), "80100001");
    EXPECT_EQ(v3(R"({"payload":{}})"), "80300010");
    EXPECT_EQ(with(R"("payload":{"notification":{"title":"t"}})"), "80100003");
    EXPECT_EQ(with(R"("payload":{"extraData":"x"})", "6"), "80000000");
    EXPECT_EQ(with(R"("payload":{})", "6"), "80100003");
    EXPECT_EQ(with(R"("payload":{})", "1", R"("next-1","next-2")"), "80300010");
    EXPECT_EQ(with(kAlert + R"(,"pushOptions":{"ttl":1296001})"), "80100004");
    EXPECT_EQ(with(kAlert + R"(,"pushOptions":{"ttl":"60s"})"), "80100004");
    std::string eleven;
    for (int i = 0; i < 11; ++i) eleven += (i == 0 ? "\"next-" : ",\"next-") + std::to_string(i) + "\"";
    EXPECT_EQ(with(kAlert + R"(,"pushOptions":{"testMessage":true})", "0", eleven), "80300030");
    EXPECT_EQ(with(kAlert, "0", eleven), "80000000");
}

TEST_F(HmsBackendTest, FlowIsCountedInDevices) {
    world_.settings.hms_devices_per_second = 10;
    EXPECT_EQ(v1(R"({"message":{"token":[)" + tokens(8) + "]," + kData + "}}"), "80000000");
    v1(R"({"message":{"token":[)" + tokens(3) + "]," + kData + "}}");
    EXPECT_EQ(last_.reply.status, 503);
    EXPECT_EQ(last_.reply.body, "");
    EXPECT_EQ(received("t0"), 1U);
    clock_.advance(std::chrono::seconds(1));
    EXPECT_EQ(v1(R"({"message":{"token":[)" + tokens(3) + "]," + kData + "}}"), "80000000");
}

TEST_F(HmsBackendTest, ShowsADeviceTwoMarketingMessagesADayAndAcceptsMore) {  // 15.9
    const auto send = [&](const std::string& list) {
        return v1(R"({"message":{"token":[)" + list + "]," + kData + R"(,"android":{"category":"MARKETING"}}})");
    };
    for (int i = 0; i < 3; ++i) EXPECT_EQ(send(R"("T1","T2")"), "80000000");
    EXPECT_EQ(received("T1"), 2U);
    EXPECT_EQ(world_.hms.withheld, 2U);
    EXPECT_EQ(v1(R"({"message":{"token":["T1"],)" + kData + "}}"), "80000000");
    EXPECT_EQ(received("T1"), 3U) << "other categories have no quota";
    clock_.advance(std::chrono::hours(24));
    token_.clear();  // over, too
    send("\"T1\"");
    EXPECT_EQ(received("T1"), 4U);
    for (int i = 0; i < 3; ++i)
        v3(R"({"target":{"token":["next-1"]},"payload":{"notification":{"category":"MARKETING","title":"t","body":"b",)"
           R"("clickAction":{"actionType":0}}}})");
    EXPECT_EQ(received("next-1"), 2U);
    world_.settings.hms_marketing_per_day = 0;
    send("\"T1\"");
    send("\"T1\"");
    send("\"T1\"");
    EXPECT_EQ(received("T1"), 7U);
}

TEST_F(HmsBackendTest, CountsTokensThatARequestNamesTwice) {  // 17.3: a client collapses them
    EXPECT_EQ(v1(R"({"message":{"token":["T1","T2","T1","T1"],)" + kData + "}}"), "80000000");
    EXPECT_EQ(world_.hms.repeated, 2U);
    EXPECT_EQ(received("T1"), 3U);
}

TEST_F(HmsBackendTest, TopicsAndConditionsReachTheirSubscribers) {  // sections 11 and 17.7
    token_ = access_token();
    const auto change = [&](const std::string& verb, const std::string& body) {
        return answer(post("/v1/100/topic:" + verb, body, headers(token_)));
    };
    EXPECT_EQ(change("subscribe", R"({"topic":"a","tokenArray":["T1","T2"]})")["successCount"], 2);
    const json partly = change("subscribe", R"({"topic":"b","tokenArray":["T1","illegal-1"]})");
    EXPECT_EQ(partly["failureCount"], 1);
    EXPECT_EQ(partly["errors"][0]["index"], 1);
    EXPECT_EQ(change("subscribe", R"({"topic":"a b","tokenArray":["T1"]})")["code"], "82000007");
    EXPECT_EQ(change("list", R"({"token":"T1"})")["topics"].size(), 2U);
    EXPECT_EQ(v1(R"({"message":{"topic":"a",)" + kData + "}}"), "80000000");
    const std::string both = "'a' in topics && ('b' in topics || 'c' in topics)";
    EXPECT_EQ(v1(R"({"message":{"condition":")" + both + "\"," + kData + "}}"), "80000000");
    EXPECT_EQ(received("T1"), 2U);
    EXPECT_EQ(received("T2"), 1U);
    for (const char* bad : {"a in topics", "('a' in topics", "!('a' in topics)"})
        EXPECT_EQ(v1(R"({"message":{"condition":")" + std::string(bad) + "\"," + kData + "}}"), "80100001") << bad;
    change("unsubscribe", R"({"topic":"a","tokenArray":["T2"]})");
    EXPECT_EQ(v1(R"({"message":{"topic":"a",)" + kData + "}}"), "80000000");
    EXPECT_EQ(received("T2"), 1U);
}

TEST_F(HmsBackendTest, FaultsAnswerAndMayHaveProcessed) {
    const std::string body = R"({"message":{"token":["T1"],)" + kData + "}}";
    world_.faults.add(json::parse(R"([{"action":"status","status":503,"empty":true,"match":{"route":"hms","next":1}},
        {"action":"status","status":200,"body":"{\"code\":\"81000001\"}","match":{"route":"hms","next":1}},
        {"action":"truncate","match":{"route":"hms","next":1}}])"));
    v1(body);
    EXPECT_EQ(last_.reply.status, 503);
    EXPECT_EQ(v1(body), "81000001");
    EXPECT_EQ(received("T1"), 0U);
    v1(body);
    EXPECT_TRUE(answer(last_).is_discarded());
    EXPECT_EQ(received("T1"), 1U);
    const auto entries = world_.journal.list(0, 10);
    EXPECT_EQ(entries.at(0).route, "hms_token");
    EXPECT_EQ(entries.at(1).fault, "status");
    EXPECT_EQ(entries.at(3).target, "token:T1");
}

}  // namespace
}  // namespace belfry::simulator
