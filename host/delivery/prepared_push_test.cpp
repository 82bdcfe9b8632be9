// SPDX-License-Identifier: Apache-2.0
// What a provider prepared, shared by the pages of a push.
#include "delivery/prepared_push.h"

#include <gtest/gtest.h>

#include <memory>

#include "fakes/facades.h"
#include "fakes/scripted_provider.h"

namespace belfry::delivery {
namespace {

class PreparedCacheTest : public testing::Test {
protected:
    PreparedCacheTest() {
        generation->number = 1;
        generation->provider = &provider;
        PushBody body;
        body.payloads = {{"fake", "{}"}, {"refused", "refuse this"}};
        push = *open_push(encode_body(body));
    }
    Result<std::shared_ptr<PreparedPush>> get(size_t payload, uint8_t push_id) {
        PreparedPush::Content content;
        content.kind = BELFRY_CONTENT_TOKENS;
        content.push_id[0] = push_id;
        return cache.get(push, push->body.payloads[payload].second, gate, generation, content);
    }
    SystemClock clock;
    fakes::QuietLog log;
    fakes::MemoryMetrics metrics;
    fakes::ScriptedProvider plugin;
    plugins::Faults faults{"fake"};
    plugins::Provider provider{plugin.table(), plugin.instance(), faults};
    fakes::ScriptedSender sender{[](const http::Exchange&) { return fakes::ScriptedReply{}; }};
    std::shared_ptr<Generation> generation = std::make_shared<Generation>();
    Gate gate{"fake", 1, 0, sender, clock, log, metrics};
    std::shared_ptr<const StoredPush> push;
    PreparedCache cache{2};
};

TEST_F(PreparedCacheTest, PreparesOncePerPushAndReleasesWhatIsDropped) {
    EXPECT_EQ(*get(0, 1), *get(0, 1));
    EXPECT_EQ(plugin.prepared.load(), 1);
    ASSERT_TRUE(get(0, 2));
    ASSERT_TRUE(get(0, 3));
    EXPECT_EQ(plugin.prepared.load(), 3);
    EXPECT_EQ(plugin.released.load(), 1);
    cache.clear();
    EXPECT_EQ(plugin.released.load(), 3);
}

TEST_F(PreparedCacheTest, ARefusalOfOnePushSaysNothingAboutItsTwin) {
    (*get(0, 1))->refuse("bad topic");
    EXPECT_TRUE((*get(0, 1))->refused());
    EXPECT_EQ((*get(0, 1))->refusal(), "bad topic");
    EXPECT_FALSE((*get(0, 2))->refused());
}

TEST_F(PreparedCacheTest, CompilesThePlanOfEachVariant) {
    const std::shared_ptr<PreparedPush> prepared = *get(0, 1);
    EXPECT_EQ(prepared->plan(1).variant, 1u);
    EXPECT_EQ(prepared->plan(99).variant, 0u);
    EXPECT_EQ(prepared->plan(0).plan.method, "POST");
    EXPECT_EQ(prepared->plan(0).plan.text, "/send");
    ASSERT_EQ(prepared->plan(0).plan.body.size(), 3u);
    EXPECT_EQ(prepared->plan(0).plan.body[1].kind, http::PieceKind::Token);
    EXPECT_TRUE(prepared->plan(0).wants_delivery_id);
    EXPECT_EQ(get(1, 2).error().code, ErrorCode::InvalidArgument);
}

}  // namespace
}  // namespace belfry::delivery
