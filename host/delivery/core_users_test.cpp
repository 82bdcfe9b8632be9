// SPDX-License-Identifier: Apache-2.0
// Pushes to users: all of their devices, and those they have when the push is due.
#include <algorithm>
#include <atomic>
#include <set>

#include "audience/user_devices.h"
#include "delivery/core_rig.h"

namespace belfry::delivery {
namespace {

PushRequest to_users(std::string uid, std::vector<std::string> users) {
    PushRequest request = Rig::to_topic(std::move(uid), {});
    request.recipient.filter->users = std::move(users);
    return request;
}

// Until the test calls rig.queue.make_due.
PushRequest later(const Rig& rig, PushRequest request) {
    request.send_at_unix_ms = rig.clock.unix_ms() + 3'600'000;
    return request;
}

void add(Rig& rig, uint32_t number, const std::string& user, const std::string& platform = "android") {
    MemoryStorage::Device device;
    device.token = "token-" + std::to_string(number);
    device.user = user;
    device.platform = platform;
    rig.storage.add(MemoryStorage::key_of(number), device);
}

// Many devices of one user, which can be counted but not sent to.
void add_crowd(Rig& rig, const std::string& user, uint32_t n) {
    MemoryStorage::Device device;
    device.user = user;
    device.data = "times " + std::to_string(n);
    rig.storage.add(MemoryStorage::key_of(0, 2), device);
}

std::set<std::string> sent(Rig& rig) {
    const std::vector<std::string> tokens = rig.sender.sent();
    const std::set<std::string> distinct(tokens.begin(), tokens.end());
    EXPECT_EQ(distinct.size(), tokens.size());
    return distinct;
}

TEST(PushToUsers, ReachesAllDevicesOfAUserWhoHasVeryMany) {
    Rig rig;
    rig.add_devices(12'345, [](uint32_t, MemoryStorage::Device& device) { device.user = "kiosk"; });
    add(rig, 20'000, "ann");
    rig.start();
    const PushRequest request = to_users("push-1", {"kiosk", "ann", "kiosk"});
    const auto count = rig.core->recipient_count("default", request.recipient, 60'000);
    ASSERT_TRUE(count) << count.error().to_string();
    EXPECT_TRUE(count->complete);
    EXPECT_EQ(count->devices, 12'346);
    const std::string uid = rig.send(request);
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 12'346);
    EXPECT_EQ(sent(rig).size(), 12'346u);
}

TEST(PushToUsers, IsRefusedIfItHasMoreDevicesThanARequestMayReach) {
    Rig rig;
    add_crowd(rig, "everybody", audience::kDevicesOfUsersMax);
    rig.start();
    const PushRequest request = to_users("push-1", {"everybody"});
    const auto fits = rig.core->recipient_count("default", request.recipient, 60'000);
    ASSERT_TRUE(fits) << fits.error().to_string();
    EXPECT_EQ(fits->devices, audience::kDevicesOfUsersMax);
    add(rig, 1, "everybody");
    const auto is_refused = [](const Error& why) {
        EXPECT_EQ(why.code, ErrorCode::InvalidArgument);
        EXPECT_EQ(why.where, "recipient.filter.users");
        EXPECT_NE(why.message.find("500000"), std::string::npos) << why.message;
    };
    const Result<Accepted> now = rig.core->accept(PushRequest(request));
    ASSERT_FALSE(now);
    is_refused(now.error());
    const Result<Accepted> scheduled = rig.core->accept(later(rig, request));
    ASSERT_FALSE(scheduled);
    is_refused(scheduled.error());
    const auto count = rig.core->recipient_count("default", request.recipient, 60'000);
    ASSERT_FALSE(count);
    is_refused(count.error());
}

TEST(ScheduledPushToUsers, ReachesTheDevicesTheyHaveWhenItIsDue) {
    Rig rig;
    add(rig, 1, "ann");
    add(rig, 2, "ann");
    add(rig, 3, "bob");
    rig.start();
    PushRequest request = later(rig, to_users("push-1", {"ann", "bob", "cid", "ann"}));
    request.recipient.filter->platforms = {"android"};
    const std::string uid = rig.send(std::move(request));
    add(rig, 2, "dan");  // handed on
    rig.storage.remove(MemoryStorage::key_of(3));
    add(rig, 4, "bob");
    add(rig, 5, "cid");
    add(rig, 6, "cid", "ios");
    rig.queue.make_due();
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 3);
    EXPECT_EQ(rig.queue.sums(uid).outcomes[BELFRY_FINAL_ACCEPTED], 3);
    EXPECT_EQ(sent(rig), (std::set<std::string>{"token-1", "token-4", "token-5"}));
}

TEST(ScheduledPushToUsers, IsNotSentToDevicesThatChangedHandsWhileTheyWaited) {
    std::atomic<bool> works{false};
    Rig rig([&](const http::Exchange&) {
        return works ? ScriptedReply{} : answer(BELFRY_THROTTLED, BELFRY_SCOPE_ITEM, 0, 3'600'000);
    });
    add(rig, 1, "ann");
    add(rig, 2, "bob");
    rig.start();
    const std::string uid = rig.send(later(rig, to_users("push-1", {"ann", "bob"})));
    rig.queue.make_due();
    ASSERT_TRUE(Rig::eventually([&] {
        size_t waiting = 0;
        for (const MemoryQueue::Waiting& list : rig.queue.lists()) waiting += list.entries;
        return rig.sender.sent().size() == 2 && waiting == 2;
    }));
    add(rig, 1, "dan");
    works = true;
    rig.queue.make_due();
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 2);
    EXPECT_EQ(rig.queue.sums(uid).outcomes[BELFRY_FINAL_GONE], 1);
    EXPECT_EQ(rig.queue.sums(uid).outcomes[BELFRY_FINAL_ACCEPTED], 1);
}

TEST(ScheduledPushToUsers, ReachesEveryDeviceOfManyUsersOnce) {
    Rig rig(accepted, {"fake", "other"});
    // One of them has more devices than a list of the queue holds.
    rig.add_devices(5'000, [](uint32_t i, MemoryStorage::Device& device) {
        device.user = i < 2'500 ? "kiosk" : "user-" + std::to_string(i % 900);
        device.provider = i % 4 == 0 ? "other" : "fake";
    });
    std::vector<std::string> users{"kiosk"};
    for (int i = 0; i < 900; ++i) users.push_back("user-" + std::to_string(i));
    rig.start();
    const std::string uid = rig.send(later(rig, to_users("push-1", users)));
    rig.queue.make_due();
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, 5'000);
    EXPECT_EQ(rig.queue.sums(uid).outcomes[BELFRY_FINAL_SKIPPED_NO_PAYLOAD], 1'250);
    EXPECT_EQ(sent(rig).size(), 3'750u);
}

TEST(ScheduledPushToUsers, OfNobodyAndCancelledOnesEndWithoutDeliveries) {
    Rig rig;
    add(rig, 1, "ann");
    rig.start();
    const std::string nobody = rig.send(later(rig, to_users("push-1", {"cid"})));
    const std::string cancelled = rig.send(later(rig, to_users("push-2", {"ann"})));
    ASSERT_TRUE(rig.core->cancel("default", cancelled));
    rig.queue.make_due();
    ASSERT_TRUE(rig.finished(nobody) && rig.finished(cancelled));
    rig.expect_sums(nobody, 0);
    rig.expect_sums(cancelled, 0);
    EXPECT_TRUE(sent(rig).empty());
}

TEST(ScheduledPushToUsers, SaysWhoWasLeftOutOfACrowdThatGrewMeanwhile) {
    Rig rig;
    rig.start();
    PushRequest request = later(rig, to_users("push-1", {"everybody"}));
    request.dry_run = DryRun::Host;
    const std::string uid = rig.send(std::move(request));
    add_crowd(rig, "everybody", audience::kDevicesOfUsersMax + 1);
    rig.storage.failing_reads = 1;  // its page comes again
    rig.queue.make_due();
    ASSERT_TRUE(rig.finished(uid));
    rig.expect_sums(uid, audience::kDevicesOfUsersMax + 1);
    MemoryQueue::Sums sums = rig.queue.sums(uid);
    EXPECT_EQ(sums.outcomes[BELFRY_FINAL_ACCEPTED], audience::kDevicesOfUsersMax);
    EXPECT_EQ(sums.outcomes[BELFRY_FINAL_REFUSED], 1);
    ASSERT_EQ(sums.samples.size(), 1u);
    EXPECT_NE(sums.samples[0].find("more than 500000 devices"), std::string::npos) << sums.samples[0];
}

}  // namespace
}  // namespace belfry::delivery
