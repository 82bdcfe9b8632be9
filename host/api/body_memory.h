// SPDX-License-Identifier: Apache-2.0
// The memory that all request bodies in work share. Threads: [any], no locks.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace belfry::api {

class BodyMemory {
public:
    explicit BodyMemory(int64_t bytes_max) : left_(bytes_max) {}

    // What one request has taken; given back with the object.
    class Share {
    public:
        explicit Share(BodyMemory& memory) : memory_(memory) {}
        ~Share() { memory_.left_.fetch_add(bytes_, std::memory_order_relaxed); }
        Share(const Share&) = delete;
        Share& operator=(const Share&) = delete;
        // False, and nothing taken, if so much is not left.
        bool take(int64_t bytes) noexcept {
            if (memory_.left_.fetch_sub(bytes, std::memory_order_relaxed) < bytes) {
                memory_.left_.fetch_add(bytes, std::memory_order_relaxed);
                return false;
            }
            bytes_ += bytes;
            return true;
        }
        int64_t taken() const noexcept { return bytes_; }

    private:
        BodyMemory& memory_;
        int64_t bytes_ = 0;
    };

private:
    std::atomic<int64_t> left_;
};

}  // namespace belfry::api
