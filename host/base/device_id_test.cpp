// SPDX-License-Identifier: Apache-2.0
#include "base/device_id.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace belfry {
namespace {

constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";

std::vector<int64_t> some_keys() {
    std::vector<int64_t> keys = {0, 1, 2, kDeviceKeyEnd - 1, int64_t{1} << 48, int64_t{3} << 40 | 17};
    std::mt19937_64 random(1);
    for (int i = 0; i < 300; ++i) keys.push_back(static_cast<int64_t>(random() >> 8));
    return keys;
}

TEST(DeviceId, ComesBackAsTheSameKey) {
    for (const int64_t key : some_keys()) {
        const std::string id = encode_device_id("default", key);
        ASSERT_EQ(id.size(), kDeviceIdLength);
        ASSERT_EQ(id.find_first_not_of(kAlphabet), std::string::npos) << id;
        const auto decoded = decode_device_id("default", id);
        ASSERT_TRUE(decoded) << id;
        EXPECT_EQ(*decoded, key);
    }
}

// Ids are stored by clients: these texts must never change.
TEST(DeviceId, KeepsItsTextForEver) {
    EXPECT_EQ(encode_device_id("default", 0), "rcg1rkpmaar31yej");
    EXPECT_EQ(encode_device_id("default", 1), "0tvp8a18hqq18256");
    EXPECT_EQ(encode_device_id("shop", kDeviceKeyEnd - 1), "sd1jcsbk7bw41akf");
}

TEST(DeviceId, NoticesEveryWrongCharacter) {
    for (const int64_t key : {int64_t{0}, int64_t{123456789}}) {
        const std::string id = encode_device_id("default", key);
        for (size_t at = 0; at < id.size(); ++at) {
            for (const char c : kAlphabet) {
                std::string wrong = id;
                wrong[at] = c;
                EXPECT_EQ(decode_device_id("default", wrong).has_value(), c == id[at]) << wrong;
            }
        }
    }
}

TEST(DeviceId, NoticesSwappedNeighbours) {
    for (const int64_t key : some_keys()) {
        const std::string id = encode_device_id("default", key);
        for (size_t at = 0; at + 1 < id.size(); ++at) {
            std::string wrong = id;
            std::swap(wrong[at], wrong[at + 1]);
            EXPECT_EQ(decode_device_id("default", wrong).has_value(), wrong == id) << wrong;
        }
    }
}

TEST(DeviceId, BelongsToItsApp) {
    for (const int64_t key : some_keys()) {
        const auto decoded = decode_device_id("shop", encode_device_id("default", key));
        ASSERT_FALSE(decoded);
        EXPECT_EQ(decoded.error().code, ErrorCode::InvalidArgument);
    }
}

TEST(DeviceId, RefusesOtherForms) {
    const std::string id = encode_device_id("default", 42);
    std::string upper = id;
    for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    for (const std::string& wrong : {std::string(), id.substr(1), id + "0", upper, std::string(16, 'l'),
                                     " " + id.substr(1), std::string(16, '\xff')}) {
        EXPECT_FALSE(decode_device_id("default", wrong)) << wrong;
    }
}

TEST(DeviceId, ShowsNoOrderAndNoCommonPrefix) {
    std::set<std::string> prefixes;
    for (int64_t key = 1000; key < 1200; ++key) prefixes.insert(encode_device_id("default", key).substr(0, 4));
    EXPECT_GT(prefixes.size(), 190U);
}

}  // namespace
}  // namespace belfry
