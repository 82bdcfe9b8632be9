// SPDX-License-Identifier: Apache-2.0
#include "storage_sqlite/codec.h"

#include <gtest/gtest.h>

#include "sqlite/failure.h"
#include "storage_sqlite/traits.h"

namespace belfry::storage {
namespace {

TEST(StorageCodec, TokenAndDataAreTakenApartAgain) {
    std::string packed;
    EXPECT_FALSE(pack_token("token", "", packed));
    EXPECT_EQ(packed, "token");
    const std::string data("d\0ta", 4);
    ASSERT_TRUE(pack_token("token", data, packed));
    const auto [token, back] = unpack_token(packed, true);
    EXPECT_EQ(token, "token");
    EXPECT_EQ(back, data);
}

TEST(StorageCodec, LongTokensAreNotInlined) {
    std::string packed;
    EXPECT_FALSE(pack_token(std::string(kInlineBytesMax, 't'), "d", packed));
    EXPECT_TRUE(packed.empty());
    pack_token(std::string(kInlineBytesMax, 't'), "", packed);
    EXPECT_EQ(packed.size(), kInlineBytesMax);
}

TEST(StorageCodec, ImpossibleDataLengthIsCorrupt) {
    EXPECT_THROW(unpack_token("ab\xff\xff", true), sqlite::Failure);
}

TEST(StorageCodec, LabelsComeBack) {
    const Labels labels{"fcm", "", "Europe/Berlin", "de", 4000000000U};
    std::string bytes;
    encode_labels(labels, bytes);
    EXPECT_EQ(decode_labels(bytes), labels);
    EXPECT_THROW(decode_labels(bytes.substr(0, bytes.size() - 1)), sqlite::Failure);
}

TEST(StorageCodec, CursorsComeBackAndStrangersAreNotRead) {
    const PairCursor cursor{(int64_t{1} << 55) + 3, 999, 0xfedcba9876543210ULL};
    const auto back = decode_cursor(encode_cursor(cursor));
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->owner, cursor.owner);
    EXPECT_EQ(back->rank, cursor.rank);
    EXPECT_EQ(back->hash, cursor.hash);
    for (const char* text : {"", "1", "1.2", "1.2.3x", "x.2.3", "1.2.3.4", "1..3"})
        EXPECT_FALSE(decode_cursor(text)) << text;
}

TEST(StorageTraits, KeepsEveryPartAtItsLargest) {
    const std::array<uint32_t, kWordKinds> ids{
        Traits::room_for(Word::Provider) - 1, Traits::room_for(Word::Platform) - 1,
        Traits::room_for(Word::Timezone) - 1, Traits::room_for(Word::Locale) - 1};
    const int64_t bits = Traits::pack(ids, Traits::kVariants - 1);
    const Traits traits(bits);
    EXPECT_TRUE(traits.is_packed());
    EXPECT_FALSE(traits.has_data());
    EXPECT_TRUE(Traits(bits | 1).has_data());
    for (const Word word : {Word::Provider, Word::Platform, Word::Timezone, Word::Locale}) {
        EXPECT_EQ(traits.id(word), ids[static_cast<size_t>(word)]);
    }
    EXPECT_EQ(traits.variant(), Traits::kVariants - 1);
    EXPECT_FALSE(Traits(Traits::kUnpacked).is_packed());
}

}  // namespace
}  // namespace belfry::storage
