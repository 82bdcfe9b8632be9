// SPDX-License-Identifier: Apache-2.0
// Browsers with a subscription each, the messages that wait for them and those they showed, and what was asked of us.
//
// Threads: [any], holding World::mutex; what is marked constant may be read without.  Owner: PushServices.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "certificates.h"
#include "webpush/flavour.h"

namespace belfry::simulator::webpush {

struct Message {
    std::string id, payload, urgency, topic;
    std::int64_t ttl_s = 0, arrived_ms = 0;  // arrived_ms: the simulator's wall clock
};

struct Subscription {
    enum class State : std::uint8_t { Active, Gone, Unknown };

    std::string name, target, point, auth;  // constant; target: path and query, byte for byte
    Flavour flavour = Flavour::Fcm;         // constant
    Key key;                                // constant
    std::string application_key;            // base64url; empty until the first sender, who it then belongs to
    State state = State::Active;
    bool online = true;
    std::uint64_t received = 0;
    std::deque<Message> shown;    // the last kMessagesKept
    std::deque<Message> waiting;  // while offline
};

// One request as it came, for assertions about headers and freshness.
struct Seen {
    std::string subscription, flavour, authorization, ttl, urgency, topic, encoding, salt, sender_key, problem;
    std::uint64_t connection = 0, body_bytes = 0;
    int status = 0;
    bool http2 = false;
};

class Store {
public:
    static constexpr std::size_t kSubscriptionsMax = 200'000, kMessagesKept = 20, kWaitingMax = 100, kSeenMax = 20'000;

    // Null when the name is taken or there are too many.
    Subscription* add(Flavour flavour, std::string name, std::string application_key);
    Subscription* by_target(Flavour flavour, std::string_view target);
    Subscription* by_name(std::string_view name);
    [[nodiscard]] const std::vector<std::unique_ptr<Subscription>>& all() const { return all_; }

    // Shows the message or lets it wait, by the rules of topic and time to live.
    void deliver(Subscription& to, Message message);
    // Shows what waited and is not too old at `now_ms`.
    void come_online(Subscription& subscription, std::int64_t now_ms);
    // True when the message still waited somewhere.
    bool withdraw(std::string_view message_id);

    void note(Seen seen);
    [[nodiscard]] const std::deque<Seen>& seen() const { return seen_; }
    [[nodiscard]] std::uint64_t seen_total() const { return seen_total_; }
    void forget_messages();

private:
    void show(Subscription& subscription, Message message);

    std::vector<std::unique_ptr<Subscription>> all_;
    std::unordered_map<std::string_view, Subscription*> by_target_, by_name_;
    std::deque<Seen> seen_;
    std::uint64_t seen_total_ = 0;
};

}  // namespace belfry::simulator::webpush
