// SPDX-License-Identifier: Apache-2.0
// The answers that fault rules of action "status" give.
#pragma once

#include <chrono>

#include "net/exchange.h"
#include "state/faults.h"

namespace belfry::simulator {

// In the error shape of the endpoint behind `route`.
Reply fault_reply(const FaultRule& rule, Route route, std::chrono::system_clock::time_point wall);

}  // namespace belfry::simulator
