// SPDX-License-Identifier: Apache-2.0
// Native topics: the legacy Instance ID calls and FCM v1 topicSubscriptions.
#pragma once

#include "fcm/routes.h"
#include "net/exchange.h"
#include "state/world.h"

namespace belfry::simulator {

// Under world.mutex.
Reply change_topics_legacy(World& world, const Request& request, bool add);
Reply handle_subscription(World& world, const Request& request, const RouteMatch& match);

}  // namespace belfry::simulator
