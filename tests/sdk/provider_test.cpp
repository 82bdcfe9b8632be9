// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <belfry/provider.hpp>
#include <string>
#include <vector>

namespace belfry {
namespace {

belfry_content content(int32_t kind, uint32_t flags = 0) {
    auto row = sized<belfry_content>();
    row.kind = kind;
    row.flags = flags;
    return row;
}
belfry_verdict verdict(int32_t outcome, int32_t scope) {
    auto row = sized<belfry_verdict>();
    row.outcome = outcome;
    row.scope = scope;
    row.flags = BELFRY_VERDICT_SUSPECT;
    return row;
}

TEST(SdkPushShape, FitsAVerdictToThePush) {
    auto row = verdict(BELFRY_DEVICE_GONE, BELFRY_SCOPE_ITEM);
    PushShape(content(BELFRY_CONTENT_TOKENS)).fit(row);
    EXPECT_EQ(row.outcome, BELFRY_DEVICE_GONE);
    PushShape(content(BELFRY_CONTENT_TOPIC)).fit(row);
    EXPECT_EQ(row.outcome, BELFRY_REFUSED);
    EXPECT_EQ(row.flags, 0U);
    row = verdict(BELFRY_REFUSED, BELFRY_SCOPE_PUSH);
    PushShape(content(BELFRY_CONTENT_TOKENS)).fit(row);
    EXPECT_EQ(row.scope, BELFRY_SCOPE_PUSH);
    PushShape(content(BELFRY_CONTENT_TOKENS, BELFRY_CONTENT_HAS_HOLES)).fit(row);
    EXPECT_EQ(row.scope, BELFRY_SCOPE_ITEM);
}

TEST(SdkVerdicts, AreGivenToEveryItemOfAnAnswer) {
    auto answer = sized<belfry_answer>();
    answer.first_item = 7;
    answer.items = 3;
    std::vector<uint32_t> items;
    collect<belfry_verdict>(
        [&](belfry_emit emit, void* ctx) {
            Verdicts({emit, ctx}).accept_all(answer, "id");
            Verdicts({emit, ctx}).give_all(answer, verdict(BELFRY_RETRY, BELFRY_SCOPE_ITEM));
            return belfry_code{BELFRY_OK};
        },
        [&](const belfry_verdict& row) {
            EXPECT_EQ(row.outcome, items.size() < 3 ? BELFRY_ACCEPTED : BELFRY_RETRY);
            EXPECT_EQ(view(row.message_id), items.size() < 3 ? "id" : "");
            items.push_back(row.item);
        });
    EXPECT_EQ(items, (std::vector<uint32_t>{7, 8, 9, 7, 8, 9}));
}

TEST(SdkAnswer, IsCutOnlyWhereTheHostCanSaySo) {
    auto answer = sized<belfry_answer>();
    EXPECT_FALSE(is_cut(answer));
    answer.flags = BELFRY_ANSWER_CUT;
    EXPECT_TRUE(is_cut(answer));
    answer.size = offsetof(belfry_answer, flags);
    EXPECT_FALSE(is_cut(answer)) << "an older host's row ends before its flags";
}

TEST(SdkOutboxWriter, PutsRequestsBehindEachOther) {
    // Rows of a newer host are longer: they are walked by their stride.
    struct Wide {
        belfry_request row;
        char more[24];
    };
    std::vector<Wide> rows(2);
    std::string buffer(32, '\0');
    auto outbox = sized<belfry_outbox>();
    outbox.stride = sizeof(Wide);
    outbox.cap = 2;
    outbox.requests = rows.data();
    outbox.buf = buffer.data();
    outbox.buf_cap = 32;
    OutboxWriter writer(outbox);
    for (const char* path : {"/one", "/three"}) {
        ASSERT_TRUE(writer.has_row());
        auto row = sized<belfry_request>();
        row.path = writer.put(path);
        row.body = writer.put("");
        writer.add(row);
    }
    EXPECT_FALSE(writer.has_row());
    EXPECT_EQ(writer.room(), 32U - 10);
    EXPECT_EQ(buffer.substr(rows[1].row.path.at, rows[1].row.path.n), "/three");
    EXPECT_EQ(rows[1].row.body.n, 0U);
}

TEST(SdkToken, IsItsOwnIdentity) {
    belfry_token asked = sized<belfry_token>();
    asked.token = str("abc");
    asked.data = str("of an older registration");
    const belfry_token row = token_row(asked, 3);
    EXPECT_EQ(view(row.identity), "abc");
    EXPECT_EQ(row.variant, 3U);
    EXPECT_EQ(row.data.n, 0U);
}

}  // namespace
}  // namespace belfry
