// SPDX-License-Identifier: Apache-2.0
#include "audience/topic_merge.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/clock.h"
#include "fakes/memory_storage.h"

namespace belfry::audience {
namespace {

using fakes::MemoryStorage;

constexpr uint32_t kDevices = 5'000;
constexpr uint32_t kPage = 500;

// Counts what is asked of a storage in memory.
class TopicMerge : public ::testing::Test {
protected:
    void add(uint32_t number, std::set<std::string> topics) {
        MemoryStorage::Device device;
        device.token = "token-" + std::to_string(number);
        device.topics = std::move(topics);
        memory_.add(MemoryStorage::key_of(number), device);
        all_.push_back(MemoryStorage::key_of(number));
    }
    // All pages of the union, and that each is whole but for the last.
    std::vector<int64_t> read(const std::vector<std::string>& topics) {
        std::vector<int64_t> keys;
        MergedKeys page;
        int64_t after = -1;
        for (pages_ = 1;; ++pages_) {
            const Status merged = merge_topics(storage_, clock_, "default", topics, after, INT64_MAX, kPage,
                                               clock_.mono_ns() + 5 * kNsPerSecond, page);
            EXPECT_TRUE(merged);
            keys.insert(keys.end(), page.keys.begin(), page.keys.end());
            if (!merged || page.end) return keys;
            EXPECT_EQ(page.keys.size(), kPage);
            after = page.cursor;
        }
    }
    std::vector<int64_t> everybody() {
        std::sort(all_.begin(), all_.end());
        return all_;
    }

    SystemClock clock_;
    MemoryStorage memory_;
    plugins::Faults faults_{"storage"};
    plugins::Storage storage_{memory_.table(), memory_.instance(), faults_};
    size_t pages_ = 0;

private:
    std::vector<int64_t> all_;
};

TEST_F(TopicMerge, GivesEachDeviceOnceInKeyOrder) {
    for (uint32_t i = 0; i < kDevices; ++i)
        add(i, i % 3 == 0 ? std::set<std::string>{"a", "b"} : std::set<std::string>{i % 2 ? "a" : "b"});
    EXPECT_EQ(read({"a", "b"}), everybody());
}

TEST_F(TopicMerge, PagesAreFullWhereOneTopicOfManyHasAllTheDevices) {
    for (uint32_t i = 0; i < kDevices; ++i) add(i, {"dense"});
    std::vector<std::string> topics{"dense"};
    for (int i = 0; i < 200; ++i) topics.push_back("empty-" + std::to_string(i));
    EXPECT_EQ(read(topics), everybody());
    EXPECT_LE(pages_, kDevices / kPage + 1);
}

}  // namespace
}  // namespace belfry::audience
