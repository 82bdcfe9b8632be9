// SPDX-License-Identifier: Apache-2.0
// /admin/: who may, and what each page says.
#include "api/admin.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/api_fakes.h"

namespace belfry::api {
namespace {

using Json = nlohmann::json;

struct AdminBench : ApiBench {
    AdminBench() {
        operators.set({{"root", std::make_shared<const App>()}});
        http.offer_admin(admin, operators);
    }
    HttpResponse ask(const std::string& method, const std::string& page, const std::string& body = "",
                     const std::string& key = "root") {
        FakeRequest request(method, "/admin/" + page, body);
        if (!key.empty()) request.headers["X-API-Key"] = key;
        return http.handle(request);
    }
    Json get(const std::string& page) {
        const HttpResponse response = ask("GET", page);
        EXPECT_EQ(response.status, 200) << response.body;
        return Json::parse(response.body);
    }

    ApiKeys operators;
    std::string backed_up;
    Result<Backup> made = Backup{"/b/x", {{"queue.db", 42}}};
    Admin admin{delivery,
                [this](const std::string& name) {
                    backed_up = name;
                    return made;
                },
                clock};
};

TEST(Admin, LetsInOnlyOperatorsAndSaysWhy) {
    AdminBench bench;
    EXPECT_EQ(bench.ask("GET", "queue").status, 200);
    const HttpResponse nobody = bench.ask("GET", "queue", "", "");
    EXPECT_EQ(nobody.status, 401);
    EXPECT_EQ(Json::parse(nobody.body)["code"], 101);
    const HttpResponse of_an_app = bench.ask("GET", "queue", "", "key-1");
    EXPECT_EQ(of_an_app.status, 403);
    EXPECT_NE(of_an_app.body.find("[admin] keys"), std::string::npos);
    EXPECT_EQ(bench.ask("POST", "replay", R"({"ids":["1"]})", "key-1").status, 403);
    EXPECT_TRUE(bench.delivery.replayed.empty());
    EXPECT_EQ(bench.post("push_list", "{}", "root").status, 401);
}

TEST(Admin, AnswersUnknownPagesMethodsAndBodiesWithRealStatuses) {
    AdminBench bench;
    EXPECT_EQ(bench.ask("GET", "nothing").status, 404);
    EXPECT_EQ(bench.ask("POST", "queue", "{}").status, 404);
    EXPECT_EQ(bench.ask("GET", "backup").status, 404);
    EXPECT_EQ(bench.ask("DELETE", "queue").status, 405);
    EXPECT_EQ(bench.ask("POST", "replay", "not json").status, 400);
    EXPECT_EQ(bench.ask("POST", "replay", "[]").status, 400);
    EXPECT_EQ(ApiBench().post("x", "{}").status, 404);
    FakeRequest without("GET", "/admin/queue", "");
    EXPECT_EQ(ApiBench().http.handle(without).status, 404);
}

TEST(Admin, ShowsTheQueueByLane) {
    AdminBench bench;
    bench.delivery.stats.high = {3, 1, bench.clock.unix_ms() - 60'000};
    bench.delivery.stats.dead = 7;
    bench.delivery.stats.store_bytes = 4096;
    const Json stats = bench.get("queue");
    EXPECT_EQ(stats["lanes"]["high"], Json::parse(R"({"ready":3,"claimed":1,"oldest_ready_ms":60000})"));
    EXPECT_EQ(stats["lanes"]["low"]["oldest_ready_ms"], 0);
    EXPECT_EQ(stats["dead"], 7);
    EXPECT_EQ(stats["store_bytes"], 4096);
    bench.delivery.refusal = error(ErrorCode::Unavailable, "the queue is locked");
    const HttpResponse refused = bench.ask("GET", "queue");
    EXPECT_EQ(refused.status, 503);
    EXPECT_NE(refused.body.find("the queue is locked"), std::string::npos);
}

TEST(Admin, ListsDeadLettersOfAnAppByPages) {
    AdminBench bench;
    bench.delivery.dead_page.letters = {{18446744073709551615u, "u", "fcm", "worn \"out\"", 6, 500, 9'000, 0}};
    bench.delivery.dead_page.next_after = 77;
    const Json page = bench.get("dead?app=shop&uid=a%20b&after=5&limit=10");
    EXPECT_EQ(bench.delivery.asked_dead, "shop/a b/5/10");
    EXPECT_EQ(page["next_after"], "77");
    EXPECT_EQ(page["items"][0]["id"], "18446744073709551615");
    EXPECT_EQ(page["items"][0]["deliveries"], 500);
    EXPECT_EQ(page["items"][0]["reason"], "worn \"out\"");
    EXPECT_EQ(page["items"][0]["buried_at"], 9);
    EXPECT_FALSE(page["items"][0].contains("replayed_at"));
    bench.get("dead");
    EXPECT_EQ(bench.delivery.asked_dead, "default//0/100");
    for (const char* wrong : {"dead?limit=0", "dead?limit=1001", "dead?limit=x", "dead?after=-1", "dead?typo=1"})
        EXPECT_EQ(bench.ask("GET", wrong).status, 400) << wrong;
}

TEST(Admin, ReplaysTheNamedLettersOnly) {
    AdminBench bench;
    const HttpResponse done =
        bench.ask("POST", "replay", R"({"ids":["18446744073709551615", 4],"ignore_expiry":true})");
    EXPECT_EQ(done.body, R"({"replayed":2})");
    EXPECT_EQ(bench.delivery.replayed, (std::vector<uint64_t>{18446744073709551615u, 4}));
    EXPECT_TRUE(bench.delivery.replayed_expired);
    bench.delivery.replayed.clear();
    for (const char* wrong : {R"({})", R"({"ids":[]})", R"({"ids":["x"]})", R"({"ids":[-1]})", R"({"ids":"1"})",
                              R"({"ids":["1"],"ignore_expiry":1})", R"({"ids":["1"],"al":true})"})
        EXPECT_EQ(bench.ask("POST", "replay", wrong).status, 400) << wrong;
    EXPECT_TRUE(bench.delivery.replayed.empty());
}

TEST(Admin, ShowsProvidersWithTheirTrouble) {
    AdminBench bench;
    delivery::ProviderStatus fcm;
    fcm.name = "fcm";
    fcm.state = delivery::GateState::Refused;
    fcm.reason = "account not found";
    fcm.operator_must_act = true;
    fcm.credential_valid_ms = 0;
    bench.delivery.provider_states = {fcm, {}};
    const Json items = bench.get("providers")["items"];
    EXPECT_EQ(items[0]["state"], "refused");
    EXPECT_EQ(items[0]["reason"], "account not found");
    EXPECT_EQ(items[0]["operator_must_act"], true);
    EXPECT_EQ(items[0]["credential_valid_ms"], 0);
    EXPECT_FALSE(items[1].contains("credential_valid_ms"));
}

TEST(Admin, BacksUpUnderPlainNamesOnly) {
    AdminBench bench;
    const HttpResponse done = bench.ask("POST", "backup", R"({"name":"2026-11-22"})");
    EXPECT_EQ(Json::parse(done.body), Json::parse(R"({"folder":"/b/x","files":[{"name":"queue.db","bytes":42}]})"));
    EXPECT_EQ(bench.backed_up, "2026-11-22");
    bench.backed_up.clear();
    for (const char* wrong : {R"({})", R"({"name":""})", R"({"name":"../x"})", R"({"name":"a/b"})", R"({"name":".x"})",
                              R"({"name":"a\u0000b"})", R"({"name":1})"})
        EXPECT_EQ(bench.ask("POST", "backup", wrong).status, 400) << wrong;
    EXPECT_EQ(bench.ask("POST", "backup", "{\"name\":\"" + std::string(65, 'a') + "\"}").status, 400);
    EXPECT_EQ(bench.backed_up, "");
    bench.made = error(ErrorCode::StoreFull, "the disk is full");
    EXPECT_EQ(bench.ask("POST", "backup", R"({"name":"b"})").status, 507);
    bench.made = error(ErrorCode::Conflict, "there is one");
    EXPECT_EQ(bench.ask("POST", "backup", R"({"name":"b"})").status, 409);
}

}  // namespace
}  // namespace belfry::api
