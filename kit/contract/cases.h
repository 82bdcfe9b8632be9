// SPDX-License-Identifier: Apache-2.0
// The cases of the contract by what they are about. Threads: [any].
#pragma once

#include <span>

#include "conformance/runner/runner.h"

namespace belfry::kit {

std::span<const conformance::Case> life_cases();
std::span<const conformance::Case> config_cases();
// What is lent and what is unknown, by kind.
std::span<const conformance::Case> storage_cases();
std::span<const conformance::Case> queue_cases();
std::span<const conformance::Case> provider_cases();

}  // namespace belfry::kit
