// SPDX-License-Identifier: Apache-2.0
// A second store of the same kind beside the case's own. Threads: each case runs in a process of its own.
#pragma once

#include <string>

#include "conformance/runner/runner.h"

namespace belfry::conformance {

// The case's configuration for it. Skips the case if there is no place.
std::string config_elsewhere(const Context& context);

}  // namespace belfry::conformance
