// SPDX-License-Identifier: Apache-2.0
// What APNs' answers have proved about key and environments so far. One push's mistake looks like a wrong key: it is
// the push's if the same key was accepted for others.
//
// Threads: [any]. Owner: the instance.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace apns {

class Standing {
public:
    // A push of `environment` (0 or 1, see Variant) was accepted.
    void accepted(uint32_t environment, int64_t now_mono_ns) {
        accepted_mono_ns_.store(now_mono_ns, std::memory_order_relaxed);
        closed_[environment].store(false, std::memory_order_relaxed);
    }
    // Whether something was accepted after `mono_ns`.
    bool accepted_since(int64_t mono_ns) const {
        const int64_t last = accepted_mono_ns_.load(std::memory_order_relaxed);
        return last != 0 && last >= mono_ns;
    }
    // The key is not for `environment`. True: this is news.
    bool close(uint32_t environment) { return !closed_[environment].exchange(true, std::memory_order_relaxed); }
    bool closed(uint32_t environment) const { return closed_[environment].load(std::memory_order_relaxed); }

private:
    std::atomic<int64_t> accepted_mono_ns_{0};
    std::array<std::atomic<bool>, 2> closed_{};
};

}  // namespace apns
