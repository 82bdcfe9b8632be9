// SPDX-License-Identifier: Apache-2.0
#include "audience/name_numbers.h"

#include <gtest/gtest.h>

#include "fakes/memory_storage.h"

namespace belfry::audience {
namespace {

struct Store {
    fakes::MemoryStorage memory;
    plugins::Faults faults{"storage"};
    plugins::Storage storage{memory.table(), memory.instance(), faults};
};

std::unique_ptr<NameNumbers> open(Store& store, std::string_view key = kGateNumbers, uint32_t max = kGatesMax) {
    Result<std::unique_ptr<NameNumbers>> numbers = NameNumbers::open(store.storage, key, max);
    EXPECT_TRUE(numbers);
    return std::move(*numbers);
}

TEST(NameNumbers, GivesEachNameItsNumberAndKeepsItAcrossRestarts) {
    Store store;
    EXPECT_EQ(*open(store)->number("fcm"), 1u);
    const auto numbers = open(store);
    EXPECT_EQ(*numbers->number("apns"), 2u);
    EXPECT_EQ(*numbers->number("fcm"), 1u);
    EXPECT_EQ(numbers->name(2), "apns");
    EXPECT_EQ(numbers->name(3), "");
    EXPECT_EQ(*open(store, kSlotNumbers)->number("apns"), 1u);
}

TEST(NameNumbers, TwoNodesThatAddNamesAtOnceAgree) {
    Store store;
    const auto one = open(store);
    const auto other = open(store);
    EXPECT_EQ(*one->number("fcm"), 1u);
    EXPECT_EQ(*other->number("apns"), 2u);
    EXPECT_EQ(*one->number("apns"), 2u);
    EXPECT_EQ(*other->number("fcm"), 1u);
}

TEST(NameNumbers, SaysWhenAllNumbersAreGivenAway) {
    Store store;
    const auto numbers = open(store, kSlotNumbers, 2);
    EXPECT_TRUE(numbers->number("a"));
    EXPECT_TRUE(numbers->number("b"));
    EXPECT_EQ(numbers->number("c").error().code, ErrorCode::TooLarge);
    EXPECT_EQ(*numbers->number("a"), 1u);
}

}  // namespace
}  // namespace belfry::audience
