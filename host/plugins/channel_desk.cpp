// SPDX-License-Identifier: Apache-2.0
#include "plugins/channel_desk.h"

#include <memory>
#include <utility>

namespace belfry::plugins {

namespace {

constexpr int64_t kGraceMs = 500;  // for a plugin that ends with its deadline
constexpr int64_t kBusyRetryMs = 1'000;

class Waiting {
public:
    explicit Waiting(std::atomic<int>& count) : count_(count), before_(count.fetch_add(1)) {}
    ~Waiting() { count_.fetch_sub(1); }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    int before() const { return before_; }

private:
    std::atomic<int>& count_;
    const int before_;
};

}  // namespace

ChannelDesk::Place& ChannelDesk::place_of(const std::string& instance) {
    const std::lock_guard lock(mutex_);
    return places_[instance];
}

Result<std::vector<Channel>> ChannelDesk::call(const std::string& name, const ChannelCall& call) {
    const Instance* instance = instances_.find(name);
    const std::shared_ptr<Generation> generation = instance == nullptr ? nullptr : instance->current();
    if (!generation)
        return error(ErrorCode::Unavailable, "provider " + name + " is not running; see /health", "provider");
    if (!generation->provider().keeps_channels())
        return error(ErrorCode::Unsupported, "does not manage channels", "provider");
    Place& place = place_of(name);
    const Waiting waiting(place.waiting);
    if (waiting.before() >= kWaitingMax) {
        Error busy = error(ErrorCode::Busy, "too many channel calls wait for provider " + name);
        busy.retry_after_ms = kBusyRetryMs;
        return busy;
    }
    const int64_t deadline = clock_.mono_ns() + deadline_ms_ * kNsPerMs;
    // Shared with a call that may outlast its caller.
    auto found = std::make_shared<std::vector<Channel>>();
    const auto asked = std::make_shared<std::atomic<bool>>(false);
    Status done = place.thread.run(
        [found, asked, generation, call, deadline, &clock = clock_]() -> Status {
            if (clock.mono_ns() >= deadline)
                return error(ErrorCode::DeadlineExceeded, "nothing was asked: other channel calls took all the time");
            *asked = true;
            Result<std::vector<Channel>> answer = generation->provider().channels(call, deadline);
            if (!answer) return answer.error();
            *found = std::move(*answer);
            return {};
        },
        deadline_ms_ + kGraceMs);
    if (done) return std::move(*found);
    Error trouble = done.error();
    const bool may_exist = *asked && call.verb == ChannelCall::Verb::Create;
    if (may_exist && trouble.code == ErrorCode::DeadlineExceeded)
        trouble.message += "; the channel may exist all the same, list them before you try again";
    return trouble;
}

}  // namespace belfry::plugins
