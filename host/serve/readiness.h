// SPDX-License-Identifier: Apache-2.0
// What /ready and /health show of plugin instances and providers. Threads: [any].
#pragma once

#include <vector>

#include "api/http_api.h"
#include "delivery/core.h"
#include "plugins/instances.h"

namespace belfry::serve {

// Storage and queue decide readiness; a provider in trouble is shown with its reason but keeps nobody from being
// served.
std::vector<api::ComponentState> component_states(const plugins::Instances& instances, const delivery::Core& core);

}  // namespace belfry::serve
