// SPDX-License-Identifier: Apache-2.0
#include "audience/hashes.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <string>

namespace belfry::audience {
namespace {

std::string hex(const Hash16& hash) {
    std::string out;
    for (const uint8_t byte : hash) {
        char two[3];
        std::snprintf(two, sizeof two, "%02x", byte);
        out += two;
    }
    return out;
}

// Expected values from sha256sum; they are stored in databases and must never change.
TEST(Hashes, TokenHashIsTheFirstHalfOfItsSha256) {
    EXPECT_EQ(hex(token_hash("abc")), "ba7816bf8f01cfea414140de5dae2223");
    EXPECT_EQ(hex(token_hash("")), "e3b0c44298fc1c149afbf4c8996fb924");
}

TEST(Hashes, IdentityHashSeparatesProviderAndIdentity) {
    EXPECT_EQ(identity_hash("fcm", "abc"), token_hash(std::string_view("fcm\0abc", 7)));
    EXPECT_NE(identity_hash("fc", "mabc"), identity_hash("fcm", "abc"));
}

TEST(Hashes, KeyPrefixKeepsSlotAboveBucketAndSpreadsTokens) {
    EXPECT_EQ(key_prefix(3, "default", "fcm", "t1") >> 8, 3u);
    EXPECT_EQ(key_prefix(3, "default", "fcm", "t1"), key_prefix(3, "default", "fcm", "t1"));
    std::array<int, 256> buckets{};
    for (int i = 0; i < 25'600; ++i) ++buckets[key_prefix(1, "default", "fcm", "token-" + std::to_string(i)) & 0xff];
    for (const int n : buckets) {
        EXPECT_GT(n, 50);
        EXPECT_LT(n, 160);
    }
}

}  // namespace
}  // namespace belfry::audience
