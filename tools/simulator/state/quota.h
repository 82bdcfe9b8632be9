// SPDX-License-Identifier: Apache-2.0
// A budget per key that is refilled in full every minute, counted from the key's first use and not from the clock.
//
// Threads: [one at a time].  Owner: World.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace belfry::simulator {

class MinuteQuota {
public:
    // False when `key` has used up its `most` for this minute; 0 means there is no limit.
    bool take(const std::string& key, std::int64_t most, std::chrono::milliseconds uptime) {
        if (most == 0) return true;
        Bucket& bucket = buckets_[key];
        if (!bucket.started || uptime - bucket.start >= kMinute) {
            bucket.start = bucket.started ? bucket.start + (uptime - bucket.start) / kMinute * kMinute : uptime;
            bucket.started = true;
            bucket.used = 0;
        }
        if (bucket.used >= most) return false;
        ++bucket.used;
        return true;
    }
    void clear() { buckets_.clear(); }

private:
    static constexpr std::chrono::milliseconds kMinute{60'000};
    struct Bucket {
        std::chrono::milliseconds start{0};
        std::int64_t used = 0;
        bool started = false;
    };
    std::unordered_map<std::string, Bucket> buckets_;  // keys are projects the simulator knows
};

}  // namespace belfry::simulator
