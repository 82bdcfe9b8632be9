// SPDX-License-Identifier: Apache-2.0
// Bodies read from the queue and remembered.
#include "delivery/stored_push.h"

#include <gtest/gtest.h>

#include <string>

#include "delivery/queue_rig.h"

namespace belfry::delivery {
namespace {

// The blob of the body of a push that is stored with this body.
BlobOf store_body(QueueRig& rig, const std::string& uid, const std::string& body) {
    belfry_new_push push = sized<belfry_new_push>();
    belfry_new_item item = sized<belfry_new_item>();
    item.kind = BELFRY_WORK_SLICE;
    item.blob = UINT32_MAX;
    item.hi = 1;
    push.lane = BELFRY_LANE_NORMAL;
    push.app = str(std::string_view("default"));
    push.uid = str(std::string_view(uid));
    push.body = str(std::string_view(body));
    push.items = one_row(item);
    EXPECT_TRUE(rig.queue.enqueue(1, std::span(&push, 1), [](const belfry_enqueued&) {}));
    BlobOf blob;
    EXPECT_TRUE(rig.queue.claim(1, BELFRY_LANE_NORMAL, {}, 1, 0, [&](const belfry_claimed& row) {
        blob = {audience::hash_of({"default", uid}), row.created_unix_ms, row.body};
    }));
    return blob;
}

TEST(StoredPushes, KeepWhatWasReadLastWithinTheirBytes) {
    QueueRig rig;
    PushBody body;
    body.payloads = {{"fcm", std::string(4'000, 'x')}};
    StoredPushes stored(rig.queue, 10'000);
    const BlobOf first = store_body(rig, "a", encode_body(body));
    const auto held = stored.body(first);
    ASSERT_TRUE(held);
    EXPECT_EQ((*held)->body.payloads, body.payloads);
    EXPECT_EQ(*stored.body(first), *held);  // the same object
    for (const char* uid : {"b", "c", "d"}) ASSERT_TRUE(stored.body(store_body(rig, uid, encode_body(body))));
    EXPECT_NE(*stored.body(first), *held);  // dropped meanwhile, and read again
    EXPECT_EQ(stored.body({{}, 0, 4'711}).error().code, ErrorCode::NotFound);
    EXPECT_EQ(stored.body(store_body(rig, "bad", "not a body")).error().code, ErrorCode::Corrupt);
}

TEST(StoredPushes, AnIdThatIsGivenAgainIsNotWhatItWas) {
    QueueRig rig;
    PushBody body;
    body.payloads = {{"fcm", "{}"}};
    StoredPushes stored(rig.queue, 10'000);
    const BlobOf first = store_body(rig, "a", encode_body(body));
    const auto held = stored.body(first);
    ASSERT_TRUE(held);
    // The store lost the push, and gave its id to another one; or to the same uid, sent once more.
    BlobOf other = first, later = first;
    other.push = audience::hash_of({"default", "b"});
    later.created_unix_ms += 1;
    for (const BlobOf& blob : {other, later}) {
        const auto read = stored.body(blob);
        ASSERT_TRUE(read);
        EXPECT_NE(*read, *held) << "another push's content would be sent";
    }
}

}  // namespace
}  // namespace belfry::delivery
