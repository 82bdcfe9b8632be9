// SPDX-License-Identifier: Apache-2.0
#include "fcm/backend.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "testing/assertion.h"
#include "testing/fake_clock.h"

namespace belfry::simulator {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

EVP_PKEY* known_key() {
    static const Key key = make_rsa_key();
    return key.get();
}

class FcmBackendTest : public testing::Test {
protected:
    FcmBackendTest() : world_(clock_, {1000, 10}, 1), backend_(world_, 1) {
        world_.projects = {"demo", "other"};
        std::vector<Account> accounts;
        accounts.push_back(account_for(known_key(), "demo"));
        world_.oauth.set_accounts(std::move(accounts), "https://localhost/token");
        bearer_ = fetch_bearer();
    }

    std::string fetch_bearer() {
        const auto now = std::chrono::duration_cast<std::chrono::seconds>(clock_.wall().time_since_epoch()).count();
        const json claims = {{"iss", "sender@demo.example"},
                             {"scope", "https://www.googleapis.com/auth/firebase.messaging"},
                             {"aud", "https://localhost/token"},
                             {"iat", now},
                             {"exp", now + 3600}};
        const Plan plan = backend_.handle(token_request(sign_jwt(known_key(), {{"alg", "RS256"}}, claims)));
        return json::parse(plan.reply.body)["access_token"];
    }

    Request request(const std::string& path, const std::string& body) const {
        Request made;
        made.method = "POST";
        made.path = path;
        made.authority = "localhost";
        made.http2 = true;
        made.headers = {{"content-type", "application/json"}, {"authorization", "Bearer " + bearer_}};
        made.body = body;
        return made;
    }

    Plan send(const std::string& token, const std::string& project = "demo") {
        return backend_.handle(request("/v1/projects/" + project + "/messages:send",
                                       R"({"message":{"token":")" + token + R"(","data":{"k":"v"}}})"));
    }

    int status(const std::string& token, const std::string& project = "demo") {
        return send(token, project).reply.status;
    }

    void add_fault(const char* rule) {
        const auto problem = world_.faults.add(ordered_json::parse(rule));
        ASSERT_FALSE(problem.has_value()) << *problem;
    }

    FakeClock clock_;
    World world_;
    FcmBackend backend_;
    std::string bearer_;
};

TEST_F(FcmBackendTest, GivesEachTokenClassItsAnswer) {
    EXPECT_EQ(status("ok-1"), 200);
    EXPECT_EQ(status("unreg-1"), 404);
    EXPECT_EQ(status("bad-1"), 400);
    EXPECT_EQ(status("mismatch-1"), 403);
    EXPECT_EQ(status("apnsauth-1"), 401);
    EXPECT_EQ(status("dev429-1"), 429);
    EXPECT_EQ(status("r503-1-a"), 503);
    EXPECT_EQ(status("r503-1-a"), 200);
    EXPECT_EQ(send("slow-250-a").before_headers, std::chrono::milliseconds(250));
    EXPECT_EQ(world_.ledger.times_accepted("r503-1-a"), 1U);
    EXPECT_EQ(world_.ledger.times_accepted("unreg-1"), 0U);
}

TEST_F(FcmBackendTest, DeliversNothingWhenOnlyValidating) {
    const Plan plan = backend_.handle(
        request("/v1/projects/demo/messages:send", R"({"validate_only":true,"message":{"token":"ok-1"}})"));
    EXPECT_EQ(plan.reply.status, 200);
    EXPECT_EQ(world_.ledger.times_accepted("ok-1"), 0U);
    EXPECT_EQ(world_.phones.find("ok-1"), nullptr);
    EXPECT_TRUE(world_.journal.list(0, 10).back().validate_only);
    EXPECT_EQ(backend_
                  .handle(request("/v1/projects/demo/messages:send",
                                  R"({"validate_only":true,"message":{"token":"unreg-1"}})"))
                  .reply.status,
              404);
}

TEST_F(FcmBackendTest, ChecksTheBearerBeforeTheProjectBeforeTheBody) {
    const std::string good = bearer_;
    bearer_ = "garbage";
    EXPECT_EQ(status("", "nowhere"), 401);
    bearer_ = good;
    EXPECT_EQ(status("", "nowhere"), 404);
    EXPECT_EQ(status("", "other"), 403);
    EXPECT_EQ(status(""), 400);
    clock_.advance(std::chrono::seconds(3599));
    const Plan expired = send("ok-1");
    EXPECT_EQ(expired.reply.status, 401);
    EXPECT_NE(expired.reply.body.find("ACCESS_TOKEN_EXPIRED"), std::string::npos);
}

TEST_F(FcmBackendTest, RefillsTheProjectsQuotaAMinuteAfterItsFirstMessage) {
    world_.settings.quota_per_minute = 2;
    clock_.advance(std::chrono::milliseconds(12'345));
    EXPECT_EQ(status("ok-1"), 200);
    EXPECT_EQ(status("unreg-1"), 404);
    const Plan refused = send("ok-2");
    EXPECT_EQ(refused.reply.status, 429);
    const auto& headers = refused.reply.headers;
    EXPECT_TRUE(std::any_of(headers.begin(), headers.end(),
                            [](const Header& each) { return each.name == "retry-after" && each.value == "30"; }));
    clock_.advance(std::chrono::milliseconds(59'999));
    EXPECT_EQ(status("ok-2"), 429);
    clock_.advance(std::chrono::milliseconds(1));
    EXPECT_EQ(status("ok-2"), 200);
}

TEST_F(FcmBackendTest, LimitsADeviceByMinuteAndByHour) {
    world_.settings.device_per_minute = 2;
    world_.settings.device_per_hour = 3;
    EXPECT_EQ(status("ok-1"), 200);
    EXPECT_EQ(status("ok-1"), 200);
    EXPECT_EQ(status("ok-1"), 429);
    EXPECT_EQ(status("ok-2"), 200);
    clock_.advance(std::chrono::minutes(1));
    EXPECT_EQ(status("ok-1"), 200);
    EXPECT_EQ(status("ok-1"), 429);
    bearer_ = fetch_bearer();
    clock_.advance(std::chrono::minutes(59));
    EXPECT_EQ(status("ok-1"), 200);
}

TEST_F(FcmBackendTest, JournalsWhatItAnsweredAndCounts) {
    send("ok-1");
    send("unreg-1");
    const auto entries = world_.journal.list(1, 10);  // the first entry is the token fetch
    ASSERT_EQ(entries.size(), 2U);
    EXPECT_EQ(entries[0].target, "token:ok-1");
    EXPECT_EQ(entries[0].status, 200);
    EXPECT_TRUE(entries[0].accepted);
    EXPECT_EQ(entries[1].status, 404);
    EXPECT_FALSE(entries[1].accepted);
    EXPECT_NE(entries[0].body_sha256, entries[1].body_sha256);
    const ordered_json counters = world_.counters.json();
    EXPECT_EQ(counters["sends"], 2);
    EXPECT_EQ(counters["accepted"], 1);
    EXPECT_EQ(counters["token_fetches"], 1);
    EXPECT_EQ(counters["sends_by_status"]["404"], 1);
    EXPECT_EQ(counters["arrivals"]["counts"].back(), 2);
}

TEST_F(FcmBackendTest, TellsUnprocessedFaultsFromProcessedOnes) {
    add_fault(R"({"action":"status","status":503,"match":{"next":1}})");
    EXPECT_EQ(status("ok-1"), 503);
    EXPECT_EQ(world_.ledger.times_accepted("ok-1"), 0U);
    add_fault(R"({"action":"tcp_reset","processed":true,"match":{"next":1}})");
    EXPECT_EQ(send("ok-1").action, WireAction::ResetTcp);
    EXPECT_EQ(world_.ledger.times_accepted("ok-1"), 1U);
    EXPECT_EQ(world_.journal.list(0, 100).back().status, 0);
    EXPECT_EQ(world_.journal.list(0, 100).back().fault, "tcp_reset");
}

TEST_F(FcmBackendTest, AppliesFaultsToTheRouteAndTokensTheyName) {
    add_fault(R"({"action":"status","status":500,"match":{"route":"token"}})");
    add_fault(R"({"action":"black_hole","match":{"token_prefix":"ok-hole"}})");
    EXPECT_EQ(status("ok-1"), 200);
    EXPECT_EQ(send("ok-hole-7").action, WireAction::BlackHole);
    const Reply token = backend_.handle(token_request("x")).reply;
    EXPECT_EQ(token.status, 500);
    EXPECT_EQ(json::parse(token.body)["error"], "internal_failure");
}

TEST_F(FcmBackendTest, AddsDelaysToWhateverElseHappens) {
    world_.settings.latency_ms = 5;
    add_fault(R"({"action":"delay","before_headers_ms":20,"before_body_ms":30})");
    add_fault(R"({"action":"status","status":429,"retry_after_s":7})");
    const Plan plan = send("ok-1");
    EXPECT_EQ(plan.reply.status, 429);
    EXPECT_EQ(plan.before_headers, std::chrono::milliseconds(25));
    EXPECT_EQ(plan.before_body, std::chrono::milliseconds(30));
}

TEST_F(FcmBackendTest, WantsHeadersThatGoogleWants) {
    Request bare = request("/v1/projects/demo/messages:send", R"({"message":{"token":"ok-1"}})");
    bare.headers.erase(bare.headers.begin());
    EXPECT_EQ(backend_.handle(Request(bare)).reply.status, 400);
    Request nameless = request("/v1/projects/demo/messages:send", R"({"message":{"token":"ok-1"}})");
    nameless.authority.clear();
    EXPECT_EQ(backend_.handle(std::move(nameless)).reply.status, 400);
    Request unframed = request("/v1/projects/demo/messages:send", "");
    unframed.http2 = false;
    EXPECT_EQ(backend_.handle(std::move(unframed)).reply.status, 411);
}

TEST_F(FcmBackendTest, FansATopicOutToItsPhones) {
    Request add =
        request("/iid/v1:batchAdd", R"({"to":"/topics/news","registration_tokens":["ok-1","ok-2","unreg-3"]})");
    add.headers.push_back({"access_token_auth", "true"});
    EXPECT_EQ(json::parse(backend_.handle(std::move(add)).reply.body),
              json::parse(R"({"results":[{},{},{"error":"NOT_FOUND"}]})"));
    backend_.handle(request("/v1/projects/demo/messages:send", R"({"message":{"topic":"news","data":{"a":"b"}}})"));
    backend_.handle(request("/v1/projects/demo/messages:send",
                            R"json({"message":{"condition":"!('news' in topics)","data":{"a":"b"}}})json"));
    ASSERT_NE(world_.phones.find("ok-1"), nullptr);
    EXPECT_EQ(world_.phones.find("ok-1")->received, 1U);
    EXPECT_EQ(world_.phones.find("ok-2")->received, 1U);
    EXPECT_EQ(world_.phones.find("unreg-3"), nullptr);
}

TEST_F(FcmBackendTest, CompressesWhenTheClientAcceptsIt) {
    Request wants = request("/v1/projects/demo/messages:send", R"({"message":{"token":"ok-1"}})");
    wants.headers.push_back({"accept-encoding", "br, gzip"});
    const Plan plan = backend_.handle(std::move(wants));
    ASSERT_GE(plan.reply.body.size(), 2U);
    EXPECT_EQ(plan.reply.body.substr(0, 2), "\x1f\x8b");
    EXPECT_EQ(send("ok-1").reply.body.front(), '{');
}

}  // namespace
}  // namespace belfry::simulator
