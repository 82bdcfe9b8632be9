// SPDX-License-Identifier: Apache-2.0
// Memory for the texts of rows on their way out.
//
// Threads: its owner's.
#pragma once

#include <belfry/plugin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace belfry::storage {

// Where copies live until the batch has left: blocks that are used again, so that pointers stay and nothing is
// allocated per row.
class Arena {
public:
    belfry_str keep(std::string_view text) {
        if (text.empty()) return belfry_str{"", 0};
        char* place = take(text.size(), 1);
        std::memcpy(place, text.data(), text.size());
        return belfry_str{place, text.size()};
    }
    template <class T>
    T* array(size_t n) {
        return reinterpret_cast<T*>(take(n * sizeof(T), alignof(T)));
    }
    size_t used() const noexcept { return used_; }
    void clear() noexcept {
        if (blocks_.size() > kBlocksKept) blocks_.resize(kBlocksKept);
        next_block_ = used_ = 0;
        free_ = end_ = nullptr;
        if (!blocks_.empty()) open(0);
    }

private:
    static constexpr size_t kBlockBytes = 64 << 10;
    static constexpr size_t kBlocksKept = 8;
    struct Block {
        std::unique_ptr<char[]> bytes;
        size_t size;
    };
    // `alignment` is a power of two.
    char* take(size_t n, size_t alignment) {
        used_ += n;
        const size_t gap = (alignment - reinterpret_cast<uintptr_t>(free_) % alignment) % alignment;
        if (n + gap > static_cast<size_t>(end_ - free_)) return take_elsewhere(n);
        char* place = free_ + gap;
        free_ = place + n;
        return place;
    }
    char* take_elsewhere(size_t n);
    void open(size_t block) noexcept {
        next_block_ = block + 1;
        free_ = blocks_[block].bytes.get();
        end_ = free_ + blocks_[block].size;
    }

    std::vector<Block> blocks_;
    size_t next_block_ = 0, used_ = 0;
    char* free_ = nullptr;
    char* end_ = nullptr;
};

}  // namespace belfry::storage
