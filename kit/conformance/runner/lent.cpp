// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/lent.h"

#include <sys/mman.h>

#include <cstring>

#include "conformance/runner/runner.h"

namespace belfry::conformance {

namespace {
constexpr size_t kAlignment = 16;
}  // namespace

Lent::Lent(size_t bytes) : size_(bytes) {
    void* room = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) throw Failed("no memory to lend");
    room_ = static_cast<char*>(room);
}

belfry_str Lent::text(std::string_view text) {
    return {static_cast<const char*>(bytes(text.data(), text.size())), text.size()};
}

void* Lent::bytes(const void* from, size_t n) {
    const size_t taken = (n + kAlignment - 1) / kAlignment * kAlignment;
    if (size_ - used_ < taken) throw Failed("more is lent than there is room for");
    char* at = room_ + used_;
    used_ += taken;
    if (from != nullptr) copy(at, from, n);
    return at;
}

void Lent::copy(void* to, const void* from, size_t n) noexcept {
    if (n > 0) std::memcpy(to, from, n);
}

void Lent::take_back() noexcept {
    ::mprotect(room_, size_, PROT_NONE);
}

}  // namespace belfry::conformance
