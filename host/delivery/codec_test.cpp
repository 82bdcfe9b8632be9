// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "delivery/push_body.h"
#include "delivery/token_blob.h"

namespace belfry::delivery {
namespace {

PushBody full_body() {
    PushBody body;
    body.audience = Audience::Topics;
    body.dry_run = DryRun::Provider;
    body.lane_by_shape = true;
    body.users = {"u1", ""};
    body.topics = {"news"};
    body.platforms = {"android", "ios"};
    body.provider = "fcm";
    body.payloads = {{"fcm", std::string("{\"a\":\"\0b\"}", 10)}, {"apns", ""}};
    body.send_at_unix_ms = 1'800'000'000'123;
    return body;
}

TEST(PushBody, ComesBackAsItWasStored) {
    const PushBody body = full_body();
    const Result<PushBody> back = decode_body(encode_body(body));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->audience, body.audience);
    EXPECT_EQ(back->dry_run, body.dry_run);
    EXPECT_EQ(back->lane_by_shape, body.lane_by_shape);
    EXPECT_EQ(back->users, body.users);
    EXPECT_EQ(back->topics, body.topics);
    EXPECT_EQ(back->providers, body.providers);
    EXPECT_EQ(back->platforms, body.platforms);
    EXPECT_EQ(back->provider, body.provider);
    EXPECT_EQ(back->payloads, body.payloads);
    EXPECT_EQ(back->send_at_unix_ms, body.send_at_unix_ms);
}

TEST(PushBody, WithoutATimeIsWrittenAsBeforeThereWasOne) {
    PushBody body = full_body();
    const std::string later = encode_body(body);
    body.send_at_unix_ms = 0;
    const std::string bytes = encode_body(body);
    EXPECT_EQ(bytes[0], 1);
    EXPECT_EQ(bytes.size() + 8, later.size());
    EXPECT_EQ(decode_body(bytes)->send_at_unix_ms, 0);
}

TEST(PushBody, OnlyOneWhoseUsersAreResolvedWhenDueNeedsTheNewVersion) {
    PushBody body = full_body();
    EXPECT_EQ(encode_body(body)[0], 2);
    EXPECT_FALSE(decode_body(encode_body(body))->users_when_due);
    body.users_when_due = true;
    EXPECT_EQ(encode_body(body)[0], 3);
    const Result<PushBody> back = decode_body(encode_body(body));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_TRUE(back->users_when_due);
    EXPECT_EQ(back->send_at_unix_ms, body.send_at_unix_ms);
    EXPECT_EQ(user_at(place_of_user(7)), 7u);
    EXPECT_LT(place_of_user(0), 0);
}

TEST(PushBody, EveryCutAndANewerVersionAreRefused) {
    const std::string bytes = encode_body(full_body());
    for (size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(decode_body(bytes.substr(0, n))) << n;
    EXPECT_FALSE(decode_body(bytes + "x"));
    std::string newer = bytes;
    newer[0] = 4;
    EXPECT_EQ(decode_body(newer).error().code, ErrorCode::Corrupt);
}

TEST(TokenBlob, GivesEntriesByIndex) {
    TokenBlobWriter writer;
    writer.add({"token-a", "token-a", "", 0, false});
    writer.add({"token-b", "identity-b", "data", 7, false});
    writer.add({"bad", "bad", "why", 0, true});
    const std::string bytes = writer.take();
    const Result<TokenBlob> blob = TokenBlob::open(bytes);
    ASSERT_TRUE(blob);
    ASSERT_EQ(blob->entries(), 3u);
    EXPECT_EQ(blob->at(0)->identity, "token-a");
    EXPECT_EQ(blob->at(1)->token, "token-b");
    EXPECT_EQ(blob->at(1)->identity, "identity-b");
    EXPECT_EQ(blob->at(1)->data, "data");
    EXPECT_EQ(blob->at(1)->variant, 7u);
    EXPECT_TRUE(blob->at(2)->refused);
    EXPECT_FALSE(blob->at(3));
}

TEST(TokenBlob, DamageIsNoticed) {
    TokenBlobWriter writer;
    writer.add({"token-a", "token-a", "", 0, false});
    const std::string bytes = writer.take();
    for (size_t n = 0; n < bytes.size(); ++n) {
        const Result<TokenBlob> blob = TokenBlob::open(std::string_view(bytes).substr(0, n));
        EXPECT_TRUE(!blob || !blob->at(0)) << n;
    }
}

}  // namespace
}  // namespace belfry::delivery
