// SPDX-License-Identifier: Apache-2.0
// All cases of the kit, by level and kind.
//
// Names: static.*, contract.* and provider.* say what they are about; Q1... and S1... are the numbers of the published
// lists, which keep their meaning. Threads: [any].
#pragma once

#include <vector>

#include "check/report.h"
#include "conformance/runner/runner.h"
#include "plugins/manifest.h"

namespace belfry::kit {

std::vector<conformance::Case> static_cases();
// The first ones gate the others: without an instance that starts nothing more can be said.
std::vector<conformance::Case> contract_gates();
std::vector<conformance::Case> contract_cases(plugins::Kind kind);
// Empty for sinks: there is no specification of them yet.
std::vector<conformance::Case> conformance_cases(plugins::Kind kind);

}  // namespace belfry::kit
