// SPDX-License-Identifier: Apache-2.0
// The small blocks that nghttp2 takes and gives back for each stream, kept in free lists: one thread, so no locks, and
// in the steady state no malloc. Threads: [loop].  Owner: the loop; outlives its sessions.
#pragma once

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstddef>

namespace belfry::http {

class Recycler {
public:
    static constexpr size_t kStep = 64;                  // block sizes are multiples of it
    static constexpr size_t kBlockMax = 2048;            // larger ones go to malloc
    static constexpr size_t kKeptMax = 8 * 1024 * 1024;  // bytes in all free lists together

    Recycler() noexcept;
    ~Recycler();
    Recycler(const Recycler&) = delete;
    Recycler& operator=(const Recycler&) = delete;

    nghttp2_mem* as_nghttp2() noexcept { return &mem_; }

private:
    struct Free {
        Free* next;
    };
    void* take(size_t n) noexcept;
    void* take_zeroed(size_t n) noexcept;
    void* resize(void* block, size_t n) noexcept;
    void give(void* block) noexcept;

    nghttp2_mem mem_;
    std::array<Free*, kBlockMax / kStep> free_{};
    size_t kept_ = 0;
};

}  // namespace belfry::http
