// SPDX-License-Identifier: Apache-2.0
// Scratch text that lives until the end of a loop turn: header values while the session still refers to them.
// Threads: [loop].
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace belfry::http {

class Arena {
public:
    static constexpr size_t kChunk = 64 * 1024;  // at least RequestHeads::kHeadMax
    static constexpr size_t kChunksKept = 4;

    // At most kChunk bytes; stays in place until reset.
    char* reserve(size_t n) {
        if (used_ + n > kChunk || chunks_.empty()) next_chunk();
        return chunks_[at_].get() + used_;
    }
    // Keeps the first n bytes of the last reservation.
    void keep(size_t n) noexcept { used_ += n; }
    void reset() noexcept {
        if (chunks_.size() > kChunksKept) chunks_.resize(kChunksKept);
        at_ = used_ = 0;
    }

private:
    void next_chunk() {
        if (!chunks_.empty()) ++at_;
        if (at_ == chunks_.size()) chunks_.push_back(std::make_unique_for_overwrite<char[]>(kChunk));
        used_ = 0;
    }
    std::vector<std::unique_ptr<char[]>> chunks_;
    size_t at_ = 0, used_ = 0;
};

}  // namespace belfry::http
