// SPDX-License-Identifier: Apache-2.0
#include "http/recycler.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace belfry::http {

namespace {

// In front of every block: its whole size, so that it finds its free list again.
constexpr size_t kHeader = alignof(std::max_align_t);

size_t whole_size(void* block) noexcept {
    size_t size = 0;
    std::memcpy(&size, static_cast<char*>(block) - kHeader, sizeof size);
    return size;
}

void* set_size(char* start, size_t whole) noexcept {
    std::memcpy(start, &whole, sizeof whole);
    return start + kHeader;
}

}  // namespace

Recycler::Recycler() noexcept {
    mem_.mem_user_data = this;
    mem_.malloc = [](size_t n, void* self) { return static_cast<Recycler*>(self)->take(n); };
    mem_.free = [](void* block, void* self) { static_cast<Recycler*>(self)->give(block); };
    mem_.calloc = [](size_t count, size_t n, void* self) {
        if (n != 0 && count > SIZE_MAX / n) return static_cast<void*>(nullptr);
        return static_cast<Recycler*>(self)->take_zeroed(count * n);
    };
    mem_.realloc = [](void* block, size_t n, void* self) { return static_cast<Recycler*>(self)->resize(block, n); };
}

Recycler::~Recycler() {
    for (Free* list : free_) {
        while (list != nullptr) std::free(std::exchange(list, list->next));
    }
}

void* Recycler::take(size_t n) noexcept {
    if (n > SIZE_MAX - kHeader - kStep) return nullptr;
    const size_t whole = (n + kHeader + kStep - 1) / kStep * kStep;
    if (whole <= kBlockMax) {
        Free*& list = free_[whole / kStep - 1];
        if (list != nullptr) {
            kept_ -= whole;
            return set_size(reinterpret_cast<char*>(std::exchange(list, list->next)), whole);
        }
    }
    auto* start = static_cast<char*>(std::malloc(whole));
    return start == nullptr ? nullptr : set_size(start, whole);
}

void* Recycler::take_zeroed(size_t n) noexcept {
    void* block = take(n);
    if (block != nullptr) std::memset(block, 0, n);
    return block;
}

void* Recycler::resize(void* block, size_t n) noexcept {
    if (block == nullptr) return take(n);
    const size_t room = whole_size(block) - kHeader;
    if (n <= room) return block;
    void* larger = take(n);
    if (larger == nullptr) return nullptr;
    std::memcpy(larger, block, room);
    give(block);
    return larger;
}

void Recycler::give(void* block) noexcept {
    if (block == nullptr) return;
    const size_t whole = whole_size(block);
    char* start = static_cast<char*>(block) - kHeader;
    if (whole > kBlockMax || kept_ + whole > kKeptMax) {
        std::free(start);
        return;
    }
    Free*& list = free_[whole / kStep - 1];
    list = new (start) Free{list};
    kept_ += whole;
}

}  // namespace belfry::http
