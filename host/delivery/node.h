// SPDX-License-Identifier: Apache-2.0
// This process as the queue knows it: a random number that is made anew at every start, and when it was taken for dead.
// Threads: [any].
#pragma once

#include <atomic>
#include <cstdint>
#include <random>

namespace belfry::delivery {

class Node {
public:
    Node() { renew(); }
    uint64_t id() const noexcept { return id_.load(std::memory_order_relaxed); }
    void renew() {
        std::random_device random;
        const uint64_t high = random();
        id_.store((high << 32 | random()) >> 1 | 1, std::memory_order_relaxed);
    }

private:
    std::atomic<uint64_t> id_{0};
};

}  // namespace belfry::delivery
