// SPDX-License-Identifier: Apache-2.0
#include "policy/breaker.h"

namespace belfry::policy {

DeletionBreaker::Counts DeletionBreaker::window(int64_t now_mono_ms) const {
    const int64_t newest = now_mono_ms / width_ms();
    Counts sum;
    for (const Bucket& bucket : buckets_) {
        if (bucket.number < 0 || bucket.number + kBuckets <= newest) continue;
        sum.accepted += bucket.counts.accepted;
        sum.suspects += bucket.counts.suspects;
        sum.others += bucket.counts.others;
    }
    return sum;
}

bool DeletionBreaker::record(int64_t now_mono_ms, uint32_t accepted, uint32_t suspects, uint32_t others) {
    const std::lock_guard lock(mutex_);
    const int64_t number = now_mono_ms / width_ms();
    Bucket& bucket = buckets_[static_cast<uint64_t>(number) % kBuckets];
    if (bucket.number != number) bucket = Bucket{number, {}};
    bucket.counts.accepted += accepted;
    bucket.counts.suspects += suspects;
    bucket.counts.others += others;
    recent_.accepted += accepted;
    recent_.suspects += suspects;
    recent_.others += others;
    while (recent_.accepted + recent_.suspects + recent_.others > 2 * uint64_t{options_.recent_answers})
        recent_ = {recent_.accepted / 2, recent_.suspects / 2, recent_.others / 2};
    const Counts sum = window(now_mono_ms);
    const bool bad = sum.suspects >= options_.suspects_min && (nearly_all_suspect(sum) || nearly_all_suspect(recent_));
    const bool opens = bad && !open_;
    if (bad || accepted > 0) open_ = bad;
    return opens;
}

bool DeletionBreaker::nearly_all_suspect(const Counts& counts) const {
    const uint64_t all = counts.accepted + counts.suspects + counts.others;
    return counts.suspects * 100 > all * options_.share_percent &&
           counts.suspects > counts.accepted * options_.suspects_per_success;
}

bool DeletionBreaker::open() const {
    const std::lock_guard lock(mutex_);
    return open_;
}

bool DeletionBreaker::may_delete_suspects(int64_t now_mono_ms) const {
    const std::lock_guard lock(mutex_);
    return !open_ && window(now_mono_ms).accepted > 0;
}

void DeletionBreaker::reset() {
    const std::lock_guard lock(mutex_);
    buckets_ = {};
    recent_ = {};
    open_ = false;
}

}  // namespace belfry::policy
