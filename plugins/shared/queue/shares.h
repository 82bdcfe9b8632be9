// SPDX-License-Identifier: Apache-2.0
// How many pushes of each app are at work, as of the last look: an app that starts many gets no larger share of a lane.
//
// Threads: [any].  Owner: Core.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

namespace belfry::queue_parts {

class Shares {
public:
    uint32_t live_pushes(uint32_t app) const {
        const std::lock_guard lock(mutex_);
        const auto found = live_.find(app);
        return found == live_.end() ? 1 : found->second;
    }
    void set(std::map<uint32_t, uint32_t> live) {
        const std::lock_guard lock(mutex_);
        live_ = std::move(live);
    }

private:
    mutable std::mutex mutex_;
    std::map<uint32_t, uint32_t> live_;
};

}  // namespace belfry::queue_parts
