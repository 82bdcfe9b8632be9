// SPDX-License-Identifier: Apache-2.0
#include "delivery/ledger.h"

namespace belfry::delivery {

void Ledger::clear(size_t groups) {
    counts_.assign(groups, {});
    owed_used_ = 0;
    samples_.clear();
    tallied_ = 0;
    dead.clear();
    learnt.clear();
}

void Ledger::owe(uint16_t group, uint32_t flags, uint32_t attempt, int64_t due_unix_ms, bool pick, int64_t ref,
                 std::string_view note) {
    OwedList* list = nullptr;
    for (OwedList* other = owed_end(); other != owed_begin() && list == nullptr;) {  // the latest has room
        --other;
        if (other->group == group && other->flags == flags && other->attempt == attempt &&
            other->due_unix_ms == due_unix_ms && other->keys.size() + other->picks.size() < kListEntriesMax) {
            list = other;
        }
    }
    if (list == nullptr) {
        if (owed_used_ == owed_.size()) owed_.emplace_back();
        list = &owed_[owed_used_++];
        list->group = group;
        list->flags = flags;
        list->attempt = attempt;
        list->due_unix_ms = due_unix_ms;
        list->keys.clear();
        list->picks.clear();
        list->note = note;
    }
    if (pick) {
        list->picks.push_back(static_cast<uint32_t>(ref));
    } else {
        list->keys.push_back(ref);
    }
}

void Ledger::sample(uint16_t group, int32_t outcome, std::string text) {
    if (!wants_samples()) return;
    if (text.size() > kSampleBytesMax) return;
    samples_.push_back(Sample{group, outcome, std::move(text)});
}

}  // namespace belfry::delivery
