// SPDX-License-Identifier: Apache-2.0
#include "audience/row_filter.h"

#include <gtest/gtest.h>

#include <belfry/abi.hpp>

namespace belfry::audience {
namespace {

struct Lists {
    std::vector<std::string> users, topics, providers, platforms;
    RowFilter filter() const { return RowFilter{users, topics, providers, platforms}; }
};

belfry_device android_of_ann(const std::vector<belfry_str>& topics) {
    belfry_device row = sized<belfry_device>();
    row.user = str(std::string_view("ann"));
    row.provider = str(std::string_view("fcm"));
    row.platform = str(std::string_view("android"));
    row.topics = list_of(topics);
    return row;
}

TEST(RowFilter, AnEmptyFilterRestrictsNothingAndNeedsNoFields) {
    const Lists lists;
    EXPECT_TRUE(lists.filter().matches(android_of_ann({})));
    EXPECT_EQ(lists.filter().fields(), 0u);
}

TEST(RowFilter, IsOrInsideAListAndAndBetweenThem) {
    const std::vector<belfry_str> topics{str(std::string_view("news")), str(std::string_view("sport"))};
    const belfry_device row = android_of_ann(topics);
    EXPECT_TRUE((Lists{{"bob", "ann"}, {}, {}, {}}).filter().matches(row));
    EXPECT_FALSE((Lists{{"bob"}, {}, {}, {}}).filter().matches(row));
    EXPECT_TRUE((Lists{{"ann"}, {"x", "sport"}, {"fcm"}, {"android", "ios"}}).filter().matches(row));
    EXPECT_FALSE((Lists{{"ann"}, {"x"}, {"fcm"}, {"android"}}).filter().matches(row));
    EXPECT_FALSE((Lists{{"ann"}, {"news"}, {"apns"}, {"android"}}).filter().matches(row));
    EXPECT_FALSE((Lists{{"ann"}, {"news"}, {"fcm"}, {"ios"}}).filter().matches(row));
}

TEST(RowFilter, AsksForTheFieldsItLooksAt) {
    const Lists lists{{"ann"}, {"news"}, {"fcm"}, {"ios"}};
    EXPECT_EQ(lists.filter().fields(), static_cast<uint32_t>(BELFRY_FIELD_USER) | BELFRY_FIELD_TOPICS |
                                           BELFRY_FIELD_PROVIDER | BELFRY_FIELD_PLATFORM);
}

}  // namespace
}  // namespace belfry::audience
