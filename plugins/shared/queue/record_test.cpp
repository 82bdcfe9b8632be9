// SPDX-License-Identifier: Apache-2.0
#include "queue/record.h"

#include <belfry/queue.h>
#include <gtest/gtest.h>

#include <belfry/services.hpp>

#include "queue/dump_page.h"
#include "queue/work.h"

namespace belfry::queue_parts {
namespace {

PushRecord some_push() {
    PushRecord push;
    push.id = 77;
    push.body = 78;
    push.created_unix_ms = 1'700'000'000'000;
    push.send_at_unix_ms = -1;
    push.undiscovered = 2;
    push.state = BELFRY_PUSH_PAUSED;
    push.lane = BELFRY_LANE_LOW;
    push.weight = 3;
    push.fingerprint.fill('\x80');
    push.app = "shop";
    push.uid = "order-17";
    push.counters.planned = 12;
    push.counters.add(2, BELFRY_FINAL_GONE, 3);
    push.counters.add(1, BELFRY_FINAL_ACCEPTED, int64_t{1} << 40);
    push.counters.keep_sample(1, BELFRY_FINAL_REFUSED, "{}");
    push.body_bytes = std::string_view("a\0b", 3);
    return push;
}

// What the refusal of bytes says; empty if they are taken.
std::string refusal(const std::string& bytes) {
    try {
        decode_record(bytes, 5);
    } catch (const Refused& refused) {
        EXPECT_EQ(refused.code(), BELFRY_BAD_REQUEST);
        EXPECT_EQ(refused.where(), "records[5]");
        return refused.what();
    }
    return {};
}

TEST(QueueRecord, APushComesBackAsItWas) {
    const std::string bytes = encode_record(some_push());
    const auto push = std::get<PushRecord>(decode_record(bytes, 0));
    EXPECT_EQ(push.uid, "order-17");
    EXPECT_EQ(push.body_bytes, std::string_view("a\0b", 3));
    EXPECT_EQ(push.send_at_unix_ms, -1);
    EXPECT_EQ(push.counters.settled(), (int64_t{1} << 40) + 3);
    EXPECT_EQ(push.counters.tallies.front().gate, 1u);
    EXPECT_EQ(push.counters.samples.front().text, "{}");
    EXPECT_EQ(encode_record(push), bytes);
}

TEST(QueueRecord, EqualCountersMakeEqualBytesInAnyOrder) {
    PushRecord other = some_push();
    std::swap(other.counters.tallies[0], other.counters.tallies[1]);
    other.counters.tallies.push_back({9, BELFRY_FINAL_DEAD, 0});
    Tally& split = other.counters.tallies[1];
    --split.n;
    other.counters.tallies.push_back({split.gate, split.outcome, 1});
    EXPECT_EQ(encode_record(other), encode_record(some_push()));
}

TEST(QueueRecord, AFreedBodyIsNotAnEmptyOne) {
    PushRecord push = some_push();
    push.body_bytes = {};
    EXPECT_EQ(std::get<PushRecord>(decode_record(encode_record(push), 0)).body, 78);
    push.body = 0;
    EXPECT_EQ(std::get<PushRecord>(decode_record(encode_record(push), 0)).body, 0);
}

TEST(QueueRecord, WorkAndDeadLettersComeBack) {
    const std::string keys(16, 'k');
    const WorkRecord work{1, 2, 3, 4, -1, 6, BELFRY_WORK_LIST, 7, kInitial, 8, 9, 0, keys};
    const auto back = std::get<WorkRecord>(decode_record(encode_record(work), 0));
    EXPECT_EQ(back.content, keys);
    EXPECT_EQ(back.after, -1);
    EXPECT_EQ(back.crashes, 9u);
    const DeadRecord dead{1, 2, 3, 4, 5, 6, BELFRY_WORK_SLICE, 7, 0, 8, 9, 0, "why", {}};
    EXPECT_EQ(std::get<DeadRecord>(decode_record(encode_record(dead), 0)).note, "why");
}

TEST(QueueRecord, ABundleComesBackWithItsMembers) {
    const std::string keys(8, '\1');
    BundleRecord bundle;
    bundle.id = 5;
    bundle.lane = BELFRY_LANE_HIGH;
    for (const char* uid : {"a", "b"}) {
        MemberRecord& member = bundle.members.emplace_back();
        member.app = "shop";
        member.result.uid = uid;
        member.result.state = BELFRY_PUSH_RUNNING;
        member.has_content = true;
        member.content.body = "body";
        member.content.entries = 1;
        member.content.entry_bytes = keys.data();
    }
    bundle.members[1].result.moved_to = 99;
    const std::string bytes = encode_record(bundle);
    const auto back = std::get<BundleRecord>(decode_record(bytes, 0));
    ASSERT_EQ(back.members.size(), 2u);
    EXPECT_EQ(back.members[1].result.moved_to, 99);
    BundleBuilder builder = content_of(back, [](std::string_view) { return 3u; });
    const std::string content = builder.take_content();
    const std::vector<Member> members = read_members(content);
    EXPECT_EQ(members.at(1).uid, "b");
    EXPECT_EQ(members.at(0).body, "body");
    EXPECT_EQ(members.at(0).entries, 1u);
}

TEST(QueueRecord, SaysWhatIsWrongWithIt) {
    std::string bytes = encode_record(some_push());
    EXPECT_NE(refusal("").find("no record"), std::string::npos);
    EXPECT_NE(refusal("hello, world").find("no record"), std::string::npos);
    EXPECT_NE(refusal(bytes.substr(0, bytes.size() - 1)).find("checksum"), std::string::npos);
    std::string flipped = bytes;
    flipped[20] = static_cast<char>(flipped[20] ^ 1);
    EXPECT_NE(refusal(flipped).find("checksum"), std::string::npos);
    bytes[2] = 2;
    EXPECT_NE(refusal(bytes).find("version 2"), std::string::npos);
}

TEST(QueueRecord, RefusesWhatNoQueueStores) {
    PushRecord push = some_push();
    push.lane = 4;
    EXPECT_FALSE(refusal(encode_record(push)).empty());
    push = some_push();
    push.uid = {};
    EXPECT_FALSE(refusal(encode_record(push)).empty());
    WorkRecord work{1, 2, 0, 0, 0, 9, BELFRY_WORK_LIST, 0, 0, 1, 0, 0, "seven b"};
    EXPECT_FALSE(refusal(encode_record(work)).empty());
    work.kind = BELFRY_WORK_BUNDLE;
    work.content = {};
    EXPECT_FALSE(refusal(encode_record(work)).empty());
}

TEST(DumpPlace, WalksEveryTableOnce) {
    DumpPlace place = DumpPlace::parse("");
    std::string order;
    do {
        order += static_cast<char>(place.part);
    } while (place.go_on());
    EXPECT_EQ(order, "ptwldu");
    EXPECT_EQ(DumpPlace::parse("w17").text(), "w17");
    EXPECT_EQ(DumpPlace::parse("t17.2").text(), "t17.2");
    for (const char* bad : {"x1", "w", "w1x", "1", "t1.", "t1.2.3"}) EXPECT_THROW(DumpPlace::parse(bad), Refused);
}

}  // namespace
}  // namespace belfry::queue_parts
