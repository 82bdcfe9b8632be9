// SPDX-License-Identifier: Apache-2.0
// The cases about dump and load.
#pragma once

#include <span>

#include "conformance/queue/cases.h"

namespace belfry::conformance::queue {

std::span<const Case> dump_cases();

}  // namespace belfry::conformance::queue
