// SPDX-License-Identifier: Apache-2.0
// Little-endian writing and bounds-checked reading of what delivery stores in the queue (bodies, token blobs).
// Threads: [any].
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace belfry::delivery {

class ByteWriter {
public:
    template <class Number>
    void number(Number value) {
        static_assert(std::is_integral_v<Number>);
        char bytes[sizeof value];
        for (size_t i = 0; i < sizeof value; ++i) bytes[i] = static_cast<char>(static_cast<uint64_t>(value) >> (8 * i));
        out_.append(bytes, sizeof bytes);
    }
    // Length as 32 bits, then the bytes.
    void text(std::string_view value) {
        number(static_cast<uint32_t>(value.size()));
        out_.append(value);
    }
    std::string take() { return std::move(out_); }
    size_t size() const { return out_.size(); }

private:
    std::string out_;
};

// After the first read beyond the end everything reads as zero or empty, and ok() stays false.
class ByteReader {
public:
    explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

    template <class Number>
    Number number() {
        static_assert(std::is_integral_v<Number>);
        const std::string_view bytes = raw(sizeof(Number));
        uint64_t value = 0;
        for (size_t i = 0; i < bytes.size(); ++i)
            value |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
        return static_cast<Number>(value);
    }
    std::string_view text() { return raw(number<uint32_t>()); }
    std::string_view raw(size_t n) {
        if (n > rest_.size()) {
            ok_ = false;
            rest_ = {};
            return {};
        }
        const std::string_view taken = rest_.substr(0, n);
        rest_.remove_prefix(n);
        return taken;
    }
    bool ok() const { return ok_; }
    bool at_end() const { return ok_ && rest_.empty(); }

private:
    std::string_view rest_;
    bool ok_ = true;
};

}  // namespace belfry::delivery
