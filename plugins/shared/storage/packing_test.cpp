// SPDX-License-Identifier: Apache-2.0
#include "storage/packing.h"

#include <gtest/gtest.h>

#include <belfry/services.hpp>

namespace belfry::storage {
namespace {

TEST(StoragePacking, TopicsComeBackWithTheirOrigins) {
    const std::vector<TopicRef> topics{{1, 1}, {2, 7}, {300, 2}, {int64_t{1} << 50, 4}};
    std::string bytes;
    encode_topics(topics, bytes);
    std::vector<TopicRef> back{{9, 9}};
    decode_topics(bytes, back);
    EXPECT_EQ(back, topics);
}

TEST(StoragePacking, ThousandTopicsTakeAFewKilobytes) {
    std::vector<TopicRef> topics;
    for (int64_t i = 0; i < 1000; ++i) topics.push_back({1000 + i * 11, 1});
    std::string bytes;
    encode_topics(topics, bytes);
    EXPECT_LE(bytes.size(), 1100U);
}

TEST(StoragePacking, CutTopicsAreCorruptInsteadOfFewer) {
    std::string bytes;
    encode_topics(std::vector<TopicRef>{{5000, 1}}, bytes);
    bytes.pop_back();
    std::vector<TopicRef> back;
    EXPECT_THROW(decode_topics(bytes, back), Refused);
    EXPECT_THROW(decode_topics(std::string(11, '\xff'), back), Refused);
}

TEST(StoragePacking, OriginsAreAddedInOrderAndTakenOneByOne) {
    std::vector<TopicRef> topics;
    for (const int64_t topic : {5, 1, 3, 5}) add_origin(topics, topic, 1);
    add_origin(topics, 3, 2);
    EXPECT_EQ(topics, (std::vector<TopicRef>{{1, 1}, {3, 3}, {5, 1}}));
    drop_origin(topics, 1, {5});
    EXPECT_EQ(topics, (std::vector<TopicRef>{{3, 2}, {5, 1}}));
}

}  // namespace
}  // namespace belfry::storage
