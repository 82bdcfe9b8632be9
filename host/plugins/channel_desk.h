// SPDX-License-Identifier: Apache-2.0
// Takes clients' channel calls to the provider instances: one at a time per instance on a thread of its own, so that a
// plugin that does not come back keeps neither a client nor a thread that others need.
//
// Threads: call() is [any], at most kWaitingMax callers wait for an instance. Owner: serve(); ends before the instances
// do.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "plugins/channels.h"
#include "plugins/control_thread.h"
#include "plugins/instances.h"

namespace belfry::plugins {

class ChannelDesk final : public Channels {
public:
    static constexpr int64_t kDeadlineMs = 10'000;
    static constexpr int kWaitingMax = 16;

    // deadline_ms: of a call, its wait for the thread included.
    ChannelDesk(const Instances& instances, const Clock& clock, int64_t deadline_ms = kDeadlineMs)
        : instances_(instances), clock_(clock), deadline_ms_(deadline_ms) {}

    Result<std::vector<Channel>> call(const std::string& instance, const ChannelCall& call) override;

private:
    struct Place {
        ControlThread thread{"channels"};
        std::atomic<int> waiting{0};  // callers
    };
    Place& place_of(const std::string& instance);

    const Instances& instances_;
    const Clock& clock_;
    const int64_t deadline_ms_;
    std::mutex mutex_;
    std::map<std::string, Place> places_;  // by instance; made with its first call
};

}  // namespace belfry::plugins
