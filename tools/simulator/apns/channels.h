// SPDX-License-Identifier: Apache-2.0
// Broadcast channels: managing them and pushing to one (apns.md section 6).
//
// Threads: [any], under World::mutex.
#pragma once

#include <string>
#include <vector>

#include "net/exchange.h"
#include "state/world.h"

namespace belfry::simulator {

// Makes a channel and gives its id.
std::string add_channel(ApnsState& apns, ApnsChannel channel);

// `segments` of a path that begins with /1/apps or /4/broadcasts/apps; BadPath if it is neither.
Reply answer_channel_call(World& world, ApnsConnection& connection, const Request& request,
                          const std::vector<std::string>& segments);

}  // namespace belfry::simulator
