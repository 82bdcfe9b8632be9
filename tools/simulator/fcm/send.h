// SPDX-License-Identifier: Apache-2.0
// messages:send: from an authorised, parsed request to an answer and a delivery.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "fcm/validator.h"
#include "net/exchange.h"
#include "state/world.h"

namespace belfry::simulator {

struct SendOutcome {
    Reply reply;
    bool accepted = false;  // delivered, or for a topic: fanned out
    std::chrono::milliseconds slow{0};
};

// Under world.mutex. `message_number` makes the message id unique.
SendOutcome send_message(World& world, const Request& request, const std::string& project, SendRequest& send,
                         std::uint64_t message_number);

}  // namespace belfry::simulator
