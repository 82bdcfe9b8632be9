// SPDX-License-Identifier: Apache-2.0
// Keeps a wrong credential, or a provider that has lost its mind, from wiping the device table: while nearly everything
// looks dead and almost nothing is accepted, nothing is deleted.
//
// Threads: [any]; called with sums, once per page.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>

namespace belfry::policy {

struct BreakerOptions {
    uint32_t suspects_min = 50;          // fewer suspects in the window never open it
    uint32_t share_percent = 50;         // and they are more than this share of all answers
    uint32_t suspects_per_success = 20;  // with more than so many to a success, successes are almost none
    uint32_t recent_answers = 1'000;     // these count, too: a long good time must not hide a sudden end
    int64_t window_ms = 5 * 60'000;
};

// One per provider instance or origin. Closed -> Open when suspects pile up with almost no success, in the window or
// among the latest answers; Open -> Closed by successes once they are more than almost none, or by reset.
class DeletionBreaker {
public:
    explicit DeletionBreaker(BreakerOptions options = {}) : options_(options) {}

    // Answers that came since the last call. True if this opened the breaker.
    bool record(int64_t now_mono_ms, uint32_t accepted, uint32_t suspects, uint32_t others);
    bool open() const;
    // Definite evidence suffices while closed.
    bool may_delete_definite() const { return !open(); }
    // A suspect is believed only where something was accepted in the window.
    bool may_delete_suspects(int64_t now_mono_ms) const;
    // A new generation of the instance starts with a clean slate.
    void reset();

private:
    static constexpr uint32_t kBuckets = 10;
    struct Counts {
        uint64_t accepted = 0, suspects = 0, others = 0;
    };
    struct Bucket {
        int64_t number = -1;  // time / bucket width
        Counts counts;
    };
    int64_t width_ms() const { return options_.window_ms / kBuckets; }
    Counts window(int64_t now_mono_ms) const;
    bool nearly_all_suspect(const Counts& counts) const;

    const BreakerOptions options_;
    mutable std::mutex mutex_;
    std::array<Bucket, kBuckets> buckets_{};
    Counts recent_;  // older answers weigh less: halved whenever it holds twice recent_answers
    bool open_ = false;
};

}  // namespace belfry::policy
