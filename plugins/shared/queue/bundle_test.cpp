// SPDX-License-Identifier: Apache-2.0
#include "queue/bundle.h"

#include <belfry/queue.h>
#include <gtest/gtest.h>

#include <belfry/services.hpp>

namespace belfry::queue_parts {
namespace {

Member member_with(std::string_view uid, std::string_view body, const std::vector<int64_t>& keys) {
    Member member;
    member.app = "default";
    member.uid = uid;
    member.body = body;
    member.entries = static_cast<uint32_t>(keys.size());
    member.entry_bytes = reinterpret_cast<const char*>(keys.data());
    return member;
}

TEST(Bundle, GivesBackEveryMemberAsItWasPacked) {
    const std::vector<int64_t> keys{1, -2, int64_t{1} << 55};
    const std::vector<uint32_t> picks{0, 7};
    const std::string body("a\0b", 3);
    BundleBuilder builder;
    EXPECT_EQ(builder.add(member_with("first", body, keys), 1, {}), 0u);
    Member second;
    second.app = "shop";
    second.uid = "second";
    second.blob = "tokens";
    second.picks = true;
    second.entries = 2;
    second.entry_bytes = reinterpret_cast<const char*>(picks.data());
    second.expires_unix_ms = 99;
    EXPECT_EQ(builder.add(second, 2, {}), 1u);

    const std::string content = builder.take_content();
    const std::vector<Member> read = read_members(content);
    ASSERT_EQ(read.size(), 2u);
    EXPECT_EQ(read[0].uid, "first");
    EXPECT_EQ(read[0].body, body);
    ASSERT_EQ(read[0].entries, 3u);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(read[0].entry_bytes) % 8, 0u);
    EXPECT_EQ(std::memcmp(read[0].entry_bytes, keys.data(), 24), 0);
    EXPECT_EQ(read[1].app, "shop");
    EXPECT_EQ(read[1].blob, "tokens");
    EXPECT_TRUE(read[1].picks);
    EXPECT_EQ(read[1].expires_unix_ms, 99);
    EXPECT_EQ(std::memcmp(read[1].entry_bytes, picks.data(), 8), 0);
}

TEST(Bundle, IsFullAtItsMemberBound) {
    BundleBuilder builder;
    const std::vector<int64_t> keys{1};
    for (uint32_t i = 0; i < kBundleMembersMax; ++i) {
        ASSERT_TRUE(builder.has_room_for(member_with("u", "b", keys)));
        builder.add(member_with("u", "b", keys), 1, {});
    }
    EXPECT_FALSE(builder.has_room_for(member_with("u", "b", keys)));
}

TEST(Bundle, IsFullAtItsByteBoundButTakesOneMemberAlways) {
    const std::string big(kBundleBytesMax, 'x');
    BundleBuilder builder;
    EXPECT_TRUE(builder.has_room_for(member_with("u", big, {})));
    builder.add(member_with("u", "small", {}), 1, {});
    EXPECT_FALSE(builder.has_room_for(member_with("u", big, {})));
}

TEST(Bundle, ResultsSurvivePacking) {
    MemberResult result;
    result.app = 3;
    result.uid = "u";
    result.state = BELFRY_PUSH_CANCELLED;
    result.moved_to = 0;
    result.counters.planned = 5;
    result.counters.add(1, BELFRY_FINAL_ACCEPTED, 4);
    result.counters.add(1, BELFRY_FINAL_ACCEPTED, 1);
    result.counters.keep_sample(1, BELFRY_FINAL_REFUSED, "why");
    MemberResult moved;
    moved.moved_to = 42;
    const std::vector<MemberResult> read = unpack_results(pack_results({result, moved}));
    ASSERT_EQ(read.size(), 2u);
    EXPECT_EQ(read[0].uid, "u");
    EXPECT_EQ(read[0].counters.settled(), 5);
    EXPECT_EQ(read[0].counters.samples.at(0).text, "why");
    EXPECT_EQ(marks_of(read), (std::vector<Mark>{Mark::Stopped, Mark::Moved}));
}

TEST(Bundle, WithoutCancelledOrMovedMembersHasNoMarks) {
    EXPECT_TRUE(marks_of(std::vector<MemberResult>(3)).empty());
}

TEST(Bundle, TruncatedContentIsCorruptNotRead) {
    BundleBuilder builder;
    builder.add(member_with("uid", "body", {}), 1, {});
    const std::string content = builder.take_content();
    for (size_t n = 0; n + 8 < content.size(); ++n) {
        EXPECT_THROW(read_members(std::string_view(content).substr(0, n)), Refused) << n;
    }
}

TEST(Counters, KeepFiveSamplesOfBoundedLength) {
    Counters counters;
    for (int i = 0; i < 7; ++i) counters.keep_sample(0, 3, std::string(1000, 'x'));
    EXPECT_EQ(counters.samples.size(), kSamplesMax);
    EXPECT_EQ(counters.samples[0].text.size(), kSampleBytesMax);
}

TEST(Counters, SubtractNeverGoesBelowZero) {
    Counters counters;
    counters.add(1, BELFRY_FINAL_DEAD, 3);
    counters.subtract(1, BELFRY_FINAL_DEAD, 5);
    counters.subtract(2, BELFRY_FINAL_DEAD, 5);
    EXPECT_EQ(counters.settled(), 0);
}

}  // namespace
}  // namespace belfry::queue_parts
