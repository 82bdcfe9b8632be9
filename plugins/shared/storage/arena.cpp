// SPDX-License-Identifier: Apache-2.0
#include "storage/arena.h"

#include <algorithm>

namespace belfry::storage {

// Blocks are aligned for anything, so what begins one is too.
char* Arena::take_elsewhere(size_t n) {
    while (next_block_ < blocks_.size() && blocks_[next_block_].size < n) ++next_block_;
    if (next_block_ == blocks_.size()) {
        const size_t size = std::max(n, kBlockBytes);
        blocks_.push_back({std::make_unique<char[]>(size), size});
    }
    open(next_block_);
    char* place = free_;
    free_ += n;
    return place;
}

}  // namespace belfry::storage
