// SPDX-License-Identifier: Apache-2.0
// Bytes on their way to the socket: grows like a vector, but never clears memory that is about to be written anyway.
// Threads: [loop].
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace belfry::http {

class Output {
public:
    size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    const char* data() const noexcept { return bytes_.get(); }
    std::string_view view() const noexcept { return {bytes_.get(), size_}; }
    char* at(size_t place) noexcept { return bytes_.get() + place; }
    void clear() noexcept { size_ = 0; }
    void cut(size_t size) noexcept { size_ = size; }

    // Room for n more bytes, which the caller writes at once.
    char* extend(size_t n) {
        if (n > capacity_ - size_) grow(size_ + n);
        char* at = bytes_.get() + size_;
        size_ += n;
        return at;
    }
    void append(std::string_view text) {
        if (!text.empty()) std::memcpy(extend(text.size()), text.data(), text.size());
    }

private:
    void grow(size_t least) {
        const size_t capacity = std::max(least, capacity_ * 2);
        auto larger = std::make_unique_for_overwrite<char[]>(capacity);
        if (size_ > 0) std::memcpy(larger.get(), bytes_.get(), size_);
        bytes_ = std::move(larger);
        capacity_ = capacity;
    }
    std::unique_ptr<char[]> bytes_;
    size_t size_ = 0, capacity_ = 0;
};

}  // namespace belfry::http
