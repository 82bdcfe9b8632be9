// SPDX-License-Identifier: Apache-2.0
// What fan-out needs to know of a device besides its token, packed into one integer column: four words of a small
// dictionary and the variant. Reading two columns instead of seven makes a topic scan about 2.5 times faster.
//
// Bits, lowest first: has_data 1 | provider 8 | platform 10 | timezone 11 | locale 14 | variant 12. The common case
// stays below 2^47, six bytes in a SQLite record.
#pragma once

#include <array>
#include <cstdint>

namespace belfry::storage {

enum class Word : uint8_t { Provider, Platform, Timezone, Locale };
inline constexpr size_t kWordKinds = 4;

class Traits {
public:
    // Stands for a device whose words or variant do not fit: its row holds them as text.
    static constexpr int64_t kUnpacked = -1;

    explicit Traits(int64_t bits) noexcept : bits_(static_cast<uint64_t>(bits)) {}

    // Number of ids a kind of word has room for, 0 (the empty text) included.
    static constexpr uint32_t room_for(Word word) noexcept { return uint32_t{1} << kWidth[static_cast<size_t>(word)]; }
    static constexpr uint32_t kVariants = 1U << 12;

    static int64_t pack(const std::array<uint32_t, kWordKinds>& ids, uint32_t variant) noexcept {
        uint64_t bits = uint64_t{variant} << kVariantAt;
        for (size_t i = 0; i < kWordKinds; ++i) bits |= uint64_t{ids[i]} << kAt[i];
        return static_cast<int64_t>(bits);
    }

    bool is_packed() const noexcept { return static_cast<int64_t>(bits_) >= 0; }
    // Whether provider_data follows the token in a subscription row.
    bool has_data() const noexcept { return (bits_ & 1U) != 0; }
    uint32_t id(Word word) const noexcept {
        const auto i = static_cast<size_t>(word);
        return static_cast<uint32_t>(bits_ >> kAt[i]) & ((1U << kWidth[i]) - 1);
    }
    // The ids of all four words together: equal if all of them are.
    uint64_t words() const noexcept { return bits_ >> 1U & ((uint64_t{1} << (kVariantAt - 1)) - 1); }
    uint32_t variant() const noexcept { return static_cast<uint32_t>(bits_ >> kVariantAt) & (kVariants - 1); }

private:
    static constexpr std::array<uint8_t, kWordKinds> kWidth{8, 10, 11, 14};
    static constexpr std::array<uint8_t, kWordKinds> kAt{1, 9, 19, 30};
    static constexpr uint8_t kVariantAt = 44;

    uint64_t bits_;
};

}  // namespace belfry::storage
