// SPDX-License-Identifier: Apache-2.0
// What a fault rule does to an exchange, whichever service it belongs to.
#pragma once

#include <chrono>

#include "net/exchange.h"
#include "state/faults.h"

namespace belfry::simulator {

// Whether a request that meets this rule is processed all the same.
bool leaves_processing(const FaultRule& rule);

// All but the answer of action "status", which has the shape of its service.
void apply_to_wire(const FaultRule& rule, Plan& plan);

void add_retry_after(const FaultRule& rule, std::chrono::system_clock::time_point wall, Reply& reply);

// Whether the client gets the plan's reply.
bool is_answered(const Plan& plan);

}  // namespace belfry::simulator
