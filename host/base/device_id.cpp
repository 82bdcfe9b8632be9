// SPDX-License-Identifier: Apache-2.0
#include "base/device_id.h"

#include <array>

#include "base/assert.h"

namespace belfry {
namespace {

constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr uint64_t kHalfMask = (uint64_t{1} << 28) - 1;
constexpr uint32_t kCheckMask = 0xFFFFFF;

// Fractional digits of pi in hexadecimal: nothing up the sleeve.
constexpr std::array<uint64_t, 4> kRoundKeys = {0x243F6A8885A308D3U, 0x13198A2E03707344U, 0xA4093822299F31D0U,
                                                0x082EFA98EC4E6C89U};

// The finaliser of splitmix64 (Steele, Lea, Flood 2014).
constexpr uint64_t mix(uint64_t x) noexcept {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31);
}

constexpr uint64_t round_of(uint64_t half, size_t i) noexcept {
    return mix(half ^ kRoundKeys[i]) & kHalfMask;
}

uint64_t shuffle(uint64_t key) noexcept {
    uint64_t left = key >> 28, right = key & kHalfMask;
    for (size_t i = 0; i < kRoundKeys.size(); ++i) {
        const uint64_t next = left ^ round_of(right, i);
        left = right;
        right = next;
    }
    return left << 28 | right;
}

uint64_t unshuffle(uint64_t shuffled) noexcept {
    uint64_t left = shuffled >> 28, right = shuffled & kHalfMask;
    for (size_t i = kRoundKeys.size(); i-- > 0;) {
        const uint64_t before = right ^ round_of(left, i);
        right = left;
        left = before;
    }
    return left << 28 | right;
}

// CRC-24 of RFC 4880, whose burst detection gives the promise about single characters and swaps; by bytes, since events
// carry an id for every delivery.
constexpr std::array<uint32_t, 256> crc_table() noexcept {
    std::array<uint32_t, 256> table{};
    for (uint32_t byte = 0; byte < 256; ++byte) {
        uint32_t crc = byte << 16;
        for (int bit = 0; bit < 8; ++bit) crc = (crc << 1) ^ ((crc & 0x800000) != 0 ? 0x1864CFBU : 0);
        table[byte] = crc & kCheckMask;
    }
    return table;
}
constexpr std::array<uint32_t, 256> kCrcTable = crc_table();

uint32_t check_of(std::string_view app, uint64_t shuffled) noexcept {
    uint32_t crc = 0xB704CE;
    for (int shift = 48; shift >= 0; shift -= 8) {
        crc = (crc << 8 & kCheckMask) ^ kCrcTable[crc >> 16 ^ (shuffled >> shift & 0xFF)];
    }
    uint64_t name = 0xCBF29CE484222325U;
    for (const char c : app) name = (name ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
    return crc ^ static_cast<uint32_t>(mix(name) & kCheckMask);
}

}  // namespace

std::string encode_device_id(std::string_view app, int64_t key) {
    BELFRY_ASSERT(key >= 0 && key < kDeviceKeyEnd);
    const uint64_t shuffled = shuffle(static_cast<uint64_t>(key));
    // 80 bits: the high 40 fill the first eight characters, the low 40 the others.
    const uint64_t halves[] = {shuffled >> 16, (shuffled & 0xFFFF) << 24 | check_of(app, shuffled)};
    std::string id(kDeviceIdLength, '\0');
    for (size_t i = 0; i < kDeviceIdLength; ++i) id[i] = kAlphabet[halves[i / 8] >> (35 - 5 * (i % 8)) & 31];
    return id;
}

Result<int64_t> decode_device_id(std::string_view app, std::string_view id) {
    if (id.size() != kDeviceIdLength) {
        return error(ErrorCode::InvalidArgument, "not a device id: it has " + std::to_string(id.size()) +
                                                     " characters, device ids have " + std::to_string(kDeviceIdLength));
    }
    uint64_t halves[2] = {0, 0};
    for (size_t i = 0; i < id.size(); ++i) {
        const size_t digit = kAlphabet.find(id[i]);
        if (digit == std::string_view::npos) {
            return error(ErrorCode::InvalidArgument, "not a device id: character " + std::to_string(i + 1) +
                                                         " is none of " + std::string(kAlphabet));
        }
        halves[i / 8] = halves[i / 8] << 5 | digit;
    }
    const uint64_t shuffled = halves[0] << 16 | halves[1] >> 24;
    if (check_of(app, shuffled) != (halves[1] & kCheckMask)) {
        return error(ErrorCode::InvalidArgument, "not a device id of this app: its check digits do not match");
    }
    return static_cast<int64_t>(unshuffle(shuffled));
}

}  // namespace belfry
