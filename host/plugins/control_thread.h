// SPDX-License-Identifier: Apache-2.0
// The thread on which an instance's [control] calls run: one at a time, in order.
//
// Threads: [any]. Owner: an Instance and its Generations, which share it: the last one to go ends it. A call that never
// returns keeps only this thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

namespace belfry::plugins {

class ControlThread {
public:
    static constexpr size_t kJobsMax = 64;

    explicit ControlThread(const std::string& name);
    // Runs what is queued, then ends the thread.
    ~ControlThread();
    ControlThread(const ControlThread&) = delete;
    ControlThread& operator=(const ControlThread&) = delete;

    // False if kJobsMax are waiting.
    [[nodiscard]] bool post(std::function<void()> job);
    // For what must not be lost: destroy.
    void post_always(std::function<void()> job);
    // At most one job waits for its time; a later call replaces it.
    void post_after(std::function<void()> job, int64_t delay_ms);
    void cancel_delayed();
    // Waits for the job. DeadlineExceeded: it runs or waits still, and may come to its end later.
    Status run(std::function<Status()> job, int64_t wait_ms);

private:
    struct State;
    static void loop(const std::shared_ptr<State>& state, const std::string& name);
    std::shared_ptr<State> state_;  // shared with the thread, which may be left behind
};

}  // namespace belfry::plugins
