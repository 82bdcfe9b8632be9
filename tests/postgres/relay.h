// SPDX-License-Identifier: Apache-2.0
// A relay in front of PostgreSQL that loses the answer to a statement which the server has done.
//
// Threads: as of fakes::Relay.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fakes/relay.h"

namespace belfry::tests {

class Relay {
public:
    // In front of 127.0.0.1:server.
    explicit Relay(uint16_t server) : relay_(server, [this] { return std::make_unique<Ear>(*this); }) {}

    uint16_t port() const noexcept { return relay_.port(); }
    void close_door(bool closed) { relay_.close_door(closed); }
    // The server does the next statement that begins like this, and the connection ends before it can say so.
    void lose_answer_to(std::string beginning) {
        const std::lock_guard lock(mutex_);
        wanted_ = std::move(beginning);
    }
    bool has_lost_it() const {
        const std::lock_guard lock(mutex_);
        return wanted_.empty();
    }

private:
    // What a client says: messages with a type and a length, but for the first, which has no type.
    class Speech {
    public:
        // The statements that these bytes ask for, by the names they were prepared under.
        std::vector<std::string> asked(std::string_view bytes) {
            waiting_ += bytes;
            std::vector<std::string> found;
            for (;;) {
                const size_t head = started_ ? 1 : 0;
                if (waiting_.size() < head + 4) return found;
                const size_t size = head + length(head);
                if (waiting_.size() < size) return found;
                if (started_) hear(waiting_.substr(0, size), found);
                started_ = true;
                waiting_.erase(0, size);
            }
        }

    private:
        size_t length(size_t at) const {
            size_t n = 0;
            for (size_t i = at; i < at + 4; ++i) n = n << 8 | static_cast<unsigned char>(waiting_[i]);
            return n;
        }
        void hear(const std::string& message, std::vector<std::string>& found) {
            if (message[0] != 'P' && message[0] != 'B') return;
            const std::string first = message.c_str() + 5;
            const std::string second = message.c_str() + 5 + first.size() + 1;
            if (message[0] == 'P') texts_[first] = second;           // parse: name, text
            if (message[0] == 'B') found.push_back(texts_[second]);  // bind: portal, name
        }
        std::string waiting_;
        std::map<std::string, std::string> texts_;  // by name
        bool started_ = false;
    };

    class Ear final : public fakes::Relay::Ear {
    public:
        explicit Ear(Relay& relay) : relay_(relay) {}
        void client_said(std::string_view bytes) override {
            if (relay_.is_wanted(speech_.asked(bytes))) is_lost_ = true;
        }
        fakes::Relay::Verdict server_said(std::string_view bytes) override {
            if (!is_lost_) return fakes::Relay::Verdict::Pass;
            constexpr std::string_view kReadyAndIdle("Z\0\0\0\5I", 6);
            return bytes.ends_with(kReadyAndIdle) ? fakes::Relay::Verdict::End : fakes::Relay::Verdict::Swallow;
        }

    private:
        Relay& relay_;
        Speech speech_;
        bool is_lost_ = false;
    };

    bool is_wanted(const std::vector<std::string>& statements) {
        const std::lock_guard lock(mutex_);
        const auto fits = [&](const std::string& one) { return one.starts_with(wanted_); };
        if (wanted_.empty() || std::none_of(statements.begin(), statements.end(), fits)) return false;
        wanted_.clear();
        return true;
    }

    mutable std::mutex mutex_;
    std::string wanted_;
    fakes::Relay relay_;  // last: its threads use the others
};

}  // namespace belfry::tests
