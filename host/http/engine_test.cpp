// SPDX-License-Identifier: Apache-2.0
// The engine against a scripted server: answers, streams, deadlines, recall, stop.
#include "http/engine.h"

#include <set>

#include "http/engine_rig.h"

namespace belfry::http {

using namespace std::chrono_literals;
using fakes::H2Server;
using fakes::Reply;
using fakes::SeenRequest;
using fakes::ServerScript;

using AnEngine = EngineRig;

TEST_F(AnEngine, SendsPlansAndKeepsShortAnswersInline) {
    ServerScript script;
    script.reply = [](const SeenRequest& request) { return answer(200, "ok " + request.path); };
    H2Server server(ca_, script);
    Plan plan = plan_for(add(config_for(server)));
    auto slot = std::make_shared<CredentialSlot>();
    slot->set(std::make_shared<const Credential>(Credential{"Bearer secret", 7, 0}));
    plan.credential = slot;
    Batch batch(plan, 3);
    engine_->submit(batch.portion);
    ASSERT_TRUE(batch.wait());
    EXPECT_EQ(batch.count(Transport::Answered, 200), 3u);
    EXPECT_EQ(batch.exchanges[1].body(), "ok /push/t1");
    EXPECT_EQ(batch.exchanges[1].detail, nullptr);
    EXPECT_EQ(batch.exchanges[1].credential_generation, 7u);
    EXPECT_EQ(batch.exceptions(), 0);
    EXPECT_EQ(batch.portion.finished.load(), 3u);
    const SeenRequest seen = server.journal().at(0);
    EXPECT_EQ(seen.method, "POST");
    EXPECT_EQ(seen.body, "{\"to\":\"t0\"}");
    EXPECT_EQ(seen.authority, "localhost:" + std::to_string(server.port()));
    EXPECT_EQ(seen.headers.at("authorization"), "Bearer secret");
    EXPECT_EQ(seen.headers.at("content-type"), "application/json");
    EXPECT_EQ(seen.headers.at("content-length"), "11");
}

}  // namespace belfry::http
