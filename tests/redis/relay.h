// SPDX-License-Identifier: Apache-2.0
// A relay in front of Redis. A test may do something between an answer and the client, or have the answer lost.
//
// Threads: as of fakes::Relay; what the test wants done runs on a connection's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "fakes/relay.h"

namespace belfry::tests {

class RedisRelay {
public:
    // Whether the client gets the answer; otherwise its connection ends.
    using Deed = std::function<bool()>;

    // In front of 127.0.0.1:server.
    explicit RedisRelay(uint16_t server) : relay_(server, [this] { return std::make_unique<Ear>(*this); }) {}

    uint16_t port() const noexcept { return relay_.port(); }
    void close_door(bool closed) { relay_.close_door(closed); }
    // Once, when the server has answered the next trip that has these bytes in it. A script that the server does not
    // know yet is no answer.
    void behind(std::string bytes, Deed deed) {
        const std::lock_guard lock(mutex_);
        wanted_ = std::move(bytes);
        deed_ = std::move(deed);
    }
    void lose_answer_to(std::string bytes) {
        behind(std::move(bytes), [] { return false; });
    }
    bool is_done() const {
        const std::lock_guard lock(mutex_);
        return wanted_.empty();
    }

private:
    class Ear final : public fakes::Relay::Ear {
    public:
        explicit Ear(RedisRelay& relay) : relay_(relay) {}
        void client_said(std::string_view bytes) override { said_ += bytes; }
        fakes::Relay::Verdict server_said(std::string_view bytes) override {
            const Deed deed = bytes.starts_with("-NOSCRIPT") ? Deed() : relay_.take_deed_for(said_);
            said_.clear();
            return deed && !deed() ? fakes::Relay::Verdict::End : fakes::Relay::Verdict::Pass;
        }

    private:
        RedisRelay& relay_;
        std::string said_;  // by the client, since the last answer
    };

    // Nothing: it is not wanted behind that, or was done already.
    Deed take_deed_for(std::string_view said) {
        const std::lock_guard lock(mutex_);
        if (wanted_.empty() || said.find(wanted_) == std::string_view::npos) return {};
        wanted_.clear();
        return std::exchange(deed_, {});
    }

    mutable std::mutex mutex_;
    std::string wanted_;
    Deed deed_;
    fakes::Relay relay_;  // last: its threads use the others
};

}  // namespace belfry::tests
