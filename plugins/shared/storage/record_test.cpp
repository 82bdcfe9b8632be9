// SPDX-License-Identifier: Apache-2.0
#include "storage/record.h"

#include <gtest/gtest.h>

#include <limits>

namespace belfry::storage {
namespace {

DeviceRecord full_device() {
    DeviceRecord device;
    device.key = (int64_t{1} << 56U) - 1;
    device.created = 1;
    device.updated = std::numeric_limits<int64_t>::max();
    device.registered = 3;
    device.variant = 4'000'000'000U;
    device.provider = "fcm";
    device.token = std::string_view("t\0ken", 5);
    device.data = "data";
    device.user = "ann";
    device.platform = "ios";
    device.timezone = "Europe/Paris";
    device.locale = "fr";
    device.meta = R"({"a":"b"})";
    device.token_hash = "0123456789abcdef";
    device.identity_hash = "fedcba9876543210";
    device.topics = {{"news", 3}, {"sport", 1}};
    return device;
}

TEST(Record, DevicesComeBackWhole) {
    std::string bytes;
    const DeviceRecord device = full_device();
    encode_record(device, bytes);
    const Record record = decode_record(bytes);
    const auto* back = std::get_if<DeviceRecord>(&record);
    ASSERT_NE(back, nullptr);
    EXPECT_EQ(back->key, device.key);
    EXPECT_EQ(back->created, device.created);
    EXPECT_EQ(back->updated, device.updated);
    EXPECT_EQ(back->registered, device.registered);
    EXPECT_EQ(back->variant, device.variant);
    EXPECT_EQ(back->token, device.token);
    EXPECT_EQ(back->data, device.data);
    EXPECT_EQ(back->user, device.user);
    EXPECT_EQ(back->platform, device.platform);
    EXPECT_EQ(back->timezone, device.timezone);
    EXPECT_EQ(back->locale, device.locale);
    EXPECT_EQ(back->meta, device.meta);
    EXPECT_EQ(back->token_hash, device.token_hash);
    EXPECT_EQ(back->identity_hash, device.identity_hash);
    EXPECT_EQ(back->topics, device.topics);
}

TEST(Record, BindingsAndStateComeBackWhole) {
    std::string bytes;
    encode_record(BindingRecord{"", {"a", "b"}}, bytes);
    const Record binding = decode_record(bytes);
    ASSERT_TRUE(std::holds_alternative<BindingRecord>(binding));
    EXPECT_EQ(std::get<BindingRecord>(binding).topics, (std::vector<std::string_view>{"a", "b"}));
    std::string state_bytes;
    encode_record(StateRecord{"key", std::string_view("\0v", 2), 7}, state_bytes);
    const Record state = decode_record(state_bytes);
    ASSERT_TRUE(std::holds_alternative<StateRecord>(state));
    EXPECT_EQ(std::get<StateRecord>(state).value, std::string_view("\0v", 2));
    EXPECT_EQ(std::get<StateRecord>(state).version, 7);
    std::string sequence_bytes;
    encode_record(SequenceRecord{int64_t{1} << 40}, sequence_bytes);
    EXPECT_EQ(std::get<SequenceRecord>(decode_record(sequence_bytes)).next, int64_t{1} << 40);
    sequence_bytes.clear();
    encode_record(SequenceRecord{(int64_t{1} << 40) + 1}, sequence_bytes);
    EXPECT_TRUE(std::holds_alternative<std::monostate>(decode_record(sequence_bytes)));
}

TEST(Record, FieldsOfANewerVersionAreIgnored) {
    std::string bytes;
    encode_record(full_device(), bytes);
    bytes += "and more";
    EXPECT_TRUE(std::holds_alternative<DeviceRecord>(decode_record(bytes)));
}

TEST(Record, NothingThatIsCutOrForeignIsARecord) {
    std::string bytes;
    encode_record(full_device(), bytes);
    for (size_t n = 0; n < bytes.size(); ++n)
        EXPECT_TRUE(std::holds_alternative<std::monostate>(decode_record(std::string_view(bytes).substr(0, n)))) << n;
    for (const std::string foreign : {"", "X", "{\"json\":1}", "B\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "D"})
        EXPECT_TRUE(std::holds_alternative<std::monostate>(decode_record(foreign))) << foreign;
}

}  // namespace
}  // namespace belfry::storage
