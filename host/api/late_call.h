// SPDX-License-Identifier: Apache-2.0
// The answer of a method that is brought by the thread that made it durable.
// Threads: arrive() by any one thread, everything else by one other. Owner: shared by both.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include "api/http_message.h"
#include "api/service.h"

namespace belfry::api {

class LateCall final : public LateAnswer {
public:
    using Dress = std::function<HttpResponse(Answer&&)>;
    // `dress` makes a response of the answer, on the thread that sends it.
    explicit LateCall(Dress dress) : dress_(std::move(dress)) {}

    void arrive(Answer&& answer) {
        answer_ = std::move(answer);
        if (state_.exchange(State::There, std::memory_order_acq_rel) == State::Awaited) there_();
    }
    bool is_there() const noexcept { return state_.load(std::memory_order_acquire) == State::There; }
    void when_there(std::function<void()> there) override {
        there_ = std::move(there);
        State seen = State::Away;
        if (!state_.compare_exchange_strong(seen, State::Awaited, std::memory_order_acq_rel)) there_();
    }
    HttpResponse take() override { return dress_(std::move(answer_)); }

private:
    enum class State : uint8_t { Away, Awaited, There };
    std::atomic<State> state_{State::Away};
    Answer answer_;
    std::function<void()> there_;
    const Dress dress_;
};

}  // namespace belfry::api
