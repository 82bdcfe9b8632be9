// SPDX-License-Identifier: Apache-2.0
// Whether Huawei is believed when an answer calls all of its tokens dead. A wrong app or project gives the same answer,
// and so does a penalty: it is believed only where other requests were served within the hour and few were answered
// like this (hms.md section 10, the safety gate).
//
// Threads: [any].  Owner: the instance, so that new credentials begin unproven.
#pragma once

#include <array>
#include <belfry/services.hpp>
#include <cstdint>
#include <mutex>

namespace hms {

class DeadTokenGate {
public:
    // Of requests to devices; `tokens` are those of the all-dead ones.
    struct Answers {
        uint64_t served = 0, all_dead = 0, tokens = 0;
    };
    enum class Belief : uint8_t {
        Unproven,  // nothing was served: shut
        TooMany,   // shut
        Suspect,   // open, but they are many: the host decides by what it saw within minutes, about single devices
        Certain,
    };
    explicit DeadTokenGate(belfry::Services services) : services_(services) {}

    // Adds what came together, and says what the all-dead ones among them are worth. A single device is held against
    // the other requests, more against all.
    Belief weigh(const Answers& came);
    // The last day, since 1970, on which something was served; 0: none.
    uint32_t last_served_day() const;

private:
    static constexpr uint32_t kBuckets = 12;
    struct Bucket {
        int64_t number = -1;  // time / bucket width
        Answers answers;
    };
    Answers window(int64_t newest) const;
    void tell(Belief belief, const Answers& sum);

    const belfry::Services services_;
    mutable std::mutex mutex_;
    std::array<Bucket, kBuckets> buckets_{};
    uint32_t last_served_day_ = 0;
    bool told_ = false;  // that it is shut
};

}  // namespace hms
