// SPDX-License-Identifier: Apache-2.0
#include "audience/user_devices.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "fakes/memory_storage.h"

namespace belfry::audience {
namespace {

class UserDevices : public testing::Test {
protected:
    void add(const std::string& user, uint32_t n) {
        for (uint32_t i = 0; i < n; ++i) {
            fakes::MemoryStorage::Device device;
            device.user = user;
            store.add(fakes::MemoryStorage::key_of(next_++), device);
        }
    }
    Status read(const std::vector<std::string>& users, int64_t deadline = INT64_MAX) {
        return devices_of_users(storage, clock, "default", users, BELFRY_FIELD_USER, deadline,
                                [&](const belfry_device& row) {
                                    EXPECT_TRUE(keys.insert(row.key).second) << row.key;
                                    ++found[text(row.user)];
                                });
    }

    ManualClock clock;
    fakes::MemoryStorage store;
    std::set<int64_t> keys;
    std::map<std::string, uint32_t> found;

private:
    plugins::Faults faults_{"fake"};
    uint32_t next_ = 0;

public:
    plugins::Storage storage{store.table(), store.instance(), faults_};
};

TEST_F(UserDevices, AreReadOnceEachHoweverManyAUserHas) {
    const std::map<std::string, uint32_t> has{{"a", 1}, {"b", 99}, {"c", 100}, {"d", 101}, {"e", 25'000}};
    std::vector<std::string> users{"nobody"};
    for (const auto& [user, n] : has) {
        add(user, n);
        users.push_back(user);
    }
    add("", 5);
    add("other", 300);
    ASSERT_TRUE(read(users));
    EXPECT_EQ(found, has);
}

TEST_F(UserDevices, OfMoreUsersThanOneFetchAreRead) {
    std::vector<std::string> users;
    for (int i = 0; i < 600; ++i) {
        users.push_back("user-" + std::to_string(i));
        add(users.back(), i == 599 ? 150 : 1);
    }
    ASSERT_TRUE(read(users));
    EXPECT_EQ(keys.size(), 749u);
    EXPECT_EQ(found["user-599"], 150u);
}

TEST_F(UserDevices, AreNotReadOnAfterTheDeadline) {
    add("a", 1);
    const Status late = read({"a"}, clock.mono_ns());
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, ErrorCode::DeadlineExceeded);
}

TEST_F(UserDevices, AFailingListIsNotTakenForTheEnd) {
    add("a", 200);
    ASSERT_TRUE(read({"a"}));
    keys.clear();
    store.failing_reads = 1;
    EXPECT_FALSE(read({"a"}));
}

}  // namespace
}  // namespace belfry::audience
