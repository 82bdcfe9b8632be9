// SPDX-License-Identifier: Apache-2.0
// What /ready and /health show of plugin instances and providers. Threads: [any].
#pragma once

#include <string>
#include <vector>

#include "api/http_api.h"
#include "delivery/core.h"
#include "plugins/instances.h"

namespace belfry::serve {

// Storage and queue decide readiness; a provider in trouble is shown with its reason but keeps nobody from being
// served. `left_behind`: what is to be said about stores used before; empty: nothing.
std::vector<api::ComponentState> component_states(const plugins::Instances& instances, const delivery::Core& core,
                                                  const std::string& left_behind);

}  // namespace belfry::serve
