// SPDX-License-Identifier: Apache-2.0
// Little-endian packed bytes for columns that are only read as a whole: counters, bundles, key lists.
//
// Threads: [any].
#pragma once

#include <belfry/plugin.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "queue/counters.h"

namespace belfry::queue_parts {

static_assert(std::endian::native == std::endian::little, "packed columns are written in memory order");

class Packer {
public:
    template <class T>
    void number(T value) {
        static_assert(std::is_integral_v<T>);
        bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    void text(std::string_view value) {
        number(static_cast<uint32_t>(value.size()));
        bytes_.append(value);
    }
    // Seven bits a byte, lowest first: short for small numbers, ten bytes for negative ones.
    void small(int64_t value) {
        auto rest = static_cast<uint64_t>(value);
        for (; rest >= 0x80; rest >>= 7) bytes_.push_back(static_cast<char>(rest | 0x80));
        bytes_.push_back(static_cast<char>(rest));
    }
    void small_text(std::string_view value) {
        small(static_cast<int64_t>(value.size()));
        bytes_.append(value);
    }
    void raw(const void* p, size_t n) { bytes_.append(static_cast<const char*>(p), n); }
    // Zeroes up to a multiple of 8, so that what follows can be read in place as int64_t.
    void align() { bytes_.append((8 - bytes_.size() % 8) % 8, '\0'); }
    void overwrite(size_t at, uint32_t value) { std::memcpy(bytes_.data() + at, &value, sizeof value); }

    size_t size() const noexcept { return bytes_.size(); }
    const std::string& bytes() const noexcept { return bytes_; }
    std::string take() { return std::move(bytes_); }

private:
    std::string bytes_;
};

// Reads what a Packer wrote. Throws Refused: CORRUPT beyond the end.
class Unpacker {
public:
    explicit Unpacker(std::string_view bytes) noexcept : bytes_(bytes) {}
    template <class T>
    T number() {
        T value;
        std::memcpy(&value, need(sizeof value), sizeof value);
        return value;
    }
    std::string_view text() {
        const auto n = number<uint32_t>();
        return {need(n), n};
    }
    int64_t small() {
        uint64_t value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            const auto byte = static_cast<unsigned char>(*need(1));
            value |= uint64_t{byte & 0x7fu} << shift;
            if (byte < 0x80) return static_cast<int64_t>(value);
        }
        too_short();
    }
    // Throws CORRUPT, too, for a number that T cannot hold.
    template <class T>
    T small_as() {
        const int64_t value = small();
        const auto number = static_cast<T>(value);
        if (static_cast<int64_t>(number) != value) out_of_range();
        return number;
    }
    std::string_view small_text() {
        const auto n = static_cast<size_t>(small());
        return {need(n), n};
    }
    const char* raw(size_t n) { return need(n); }
    void align() { need((8 - at_ % 8) % 8); }
    bool at_end() const noexcept { return at_ == bytes_.size(); }

private:
    const char* need(size_t n) {
        if (bytes_.size() - at_ < n) too_short();
        const char* p = bytes_.data() + at_;
        at_ += n;
        return p;
    }
    [[noreturn]] static void too_short();
    [[noreturn]] static void out_of_range();

    std::string_view bytes_;
    size_t at_ = 0;
};

// The rows of a list of numbers, `width` bytes each, without gaps.
std::string entry_bytes(belfry_list list, size_t width);

void pack_tallies(Packer& out, const std::vector<Tally>& tallies);
std::vector<Tally> unpack_tallies(Unpacker& in);
void pack_samples(Packer& out, const std::vector<Sample>& samples);
std::vector<Sample> unpack_samples(Unpacker& in);

}  // namespace belfry::queue_parts
