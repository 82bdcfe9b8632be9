// SPDX-License-Identifier: Apache-2.0
#include "plugins/control_thread.h"

#include <pthread.h>
#include <signal.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace belfry::plugins {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds kJoinWait{10};  // for a plugin's call; then its thread is left behind
constexpr size_t kThreadNameMax = 15;          // pthread_setname_np

}  // namespace

struct ControlThread::State {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::function<void()>> jobs;
    std::function<void()> delayed;
    SteadyClock::time_point delayed_until;
    bool closing = false, ended = false;
    std::thread thread;

    // The next job; nothing once closing and empty.
    std::optional<std::function<void()>> next() {
        std::unique_lock lock(mutex);
        while (true) {
            if (!jobs.empty()) {
                std::function<void()> job = std::move(jobs.front());
                jobs.pop_front();
                return job;
            }
            if (closing) return std::nullopt;
            if (delayed && SteadyClock::now() >= delayed_until) return std::exchange(delayed, nullptr);
            if (delayed)
                changed.wait_until(lock, delayed_until);
            else
                changed.wait(lock);
        }
    }
};

void ControlThread::loop(const std::shared_ptr<State>& state, const std::string& name) {
    sigset_t all;
    ::sigfillset(&all);
    for (const int crash : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) ::sigdelset(&all, crash);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    ::pthread_setname_np(::pthread_self(), ("ctl-" + name).substr(0, kThreadNameMax).c_str());
    while (const auto job = state->next()) (*job)();
    const std::lock_guard lock(state->mutex);
    state->ended = true;
    state->changed.notify_all();
}

ControlThread::ControlThread(const std::string& name) : state_(std::make_shared<State>()) {
    state_->thread = std::thread([state = state_, name] { loop(state, name); });
}

ControlThread::~ControlThread() {
    std::unique_lock lock(state_->mutex);
    state_->closing = true;
    state_->delayed = nullptr;
    state_->changed.notify_all();
    // A job may hold the last reference to its own thread.
    const bool own = state_->thread.get_id() == std::this_thread::get_id();
    const bool ended = !own && state_->changed.wait_for(lock, kJoinWait, [&] { return state_->ended; });
    lock.unlock();
    if (ended)
        state_->thread.join();
    else
        state_->thread.detach();
}

bool ControlThread::post(std::function<void()> job) {
    {
        const std::lock_guard lock(state_->mutex);
        if (state_->jobs.size() >= kJobsMax) return false;
        state_->jobs.push_back(std::move(job));
    }
    state_->changed.notify_all();
    return true;
}

void ControlThread::post_always(std::function<void()> job) {
    {
        const std::lock_guard lock(state_->mutex);
        state_->jobs.push_back(std::move(job));
    }
    state_->changed.notify_all();
}

void ControlThread::post_after(std::function<void()> job, int64_t delay_ms) {
    {
        const std::lock_guard lock(state_->mutex);
        state_->delayed = std::move(job);
        state_->delayed_until = SteadyClock::now() + std::chrono::milliseconds(delay_ms);
    }
    state_->changed.notify_all();
}

void ControlThread::cancel_delayed() {
    const std::lock_guard lock(state_->mutex);
    state_->delayed = nullptr;
}

Status ControlThread::run(std::function<Status()> job, int64_t wait_ms) {
    struct Answer {
        std::mutex mutex;
        std::condition_variable there;
        std::optional<Status> status;
    };
    auto answer = std::make_shared<Answer>();
    const bool posted = post([answer, job = std::move(job)] {
        Status status = job();
        const std::lock_guard lock(answer->mutex);
        answer->status = std::move(status);
        answer->there.notify_all();
    });
    if (!posted) return error(ErrorCode::Busy, "too many control calls of this instance are waiting; try again");
    std::unique_lock lock(answer->mutex);
    if (!answer->there.wait_for(lock, std::chrono::milliseconds(wait_ms), [&] { return answer->status.has_value(); }))
        return error(ErrorCode::DeadlineExceeded,
                     "the plugin did not answer a control call within " + std::to_string(wait_ms) + " ms");
    return *answer->status;
}

}  // namespace belfry::plugins
