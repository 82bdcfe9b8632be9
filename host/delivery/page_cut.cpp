// SPDX-License-Identifier: Apache-2.0
// A slice for several providers is cut where the name slot of its first device ends, before anything of it is sent: the
// devices of the other slots, which are other providers', go their own way at once and do not wait for this page. The
// page keeps its item, commits the cut as a checkpoint of its own and goes on with what it has read.
//
// A page that reads its slice to the end is sent as it is: behind it nothing waits.
#include <belfry/abi.hpp>

#include <algorithm>

#include "delivery/key_range.h"
#include "delivery/page.h"

namespace belfry::delivery {

// 0: nowhere.
int64_t Page::cut_point() const {
    if (!slice() || item_.row.gate != 0 || end_ || untouched_ || first_key_ < 0) return 0;
    const int64_t border = next_slot(first_key_);
    return border < item_.row.hi ? border : 0;
}

void Page::cut(int64_t border) {
    checkpoints_.clear();
    belfry_checkpoint checkpoint = blank(item_.row.item, item_.row.epoch);
    checkpoint.next = BELFRY_NEXT_KEEP;
    checkpoint.cursor = item_.row.after;
    checkpoint.split_at = border;
    checkpoint.split_hi = item_.row.hi;
    checkpoints_.push_back(checkpoint);
    settling_ = &ledgers_[0];
    state_ = PageState::Cutting;
    world_.host.settle(*this);
}

void Page::after_cut() {
    if (BELFRY_CODE_CLASS(code_) != BELFRY_OK) {  // stopped, paused or another's: the item is not ours any more
        world_.host.slot_free(*this);
        recycle();
        return;
    }
    world_.host.work_added();
    const int64_t border = checkpoints_.front().split_at;
    item_.row.hi = border;
    ++item_.row.live_items;
    if (last_key_ >= border) {  // it holds devices of the next slot already
        forget_read();
        sections_.clear();
        groups_.clear();
        last_group_ = 0;
        read_item();
        return;
    }
    if (cursor_ >= border - 1) {
        cursor_ = border - 1;
        end_ = true;
    }
    send();
}

}  // namespace belfry::delivery
