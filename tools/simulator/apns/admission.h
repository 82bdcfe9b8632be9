// SPDX-License-Identifier: Apache-2.0
// Who may push over a connection: its certificate, or the provider token of each request and what that token binds the
// connection to (apns.md sections 4, 4.1 and 4.2).
//
// Threads: [any], under World::mutex.
#pragma once

#include <optional>
#include <string>

#include "net/exchange.h"
#include "state/world.h"

namespace belfry::simulator {

// The refusal; nothing if the request is let in.
std::optional<Reply> admit(World& world, ApnsConnection& connection, const Request& request);

// Whether the admitted sender may push for the app `bundle` (a topic without its suffix).
bool may_push_for(const World& world, const ApnsConnection& connection, const std::string& bundle);

}  // namespace belfry::simulator
