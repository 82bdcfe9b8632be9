// SPDX-License-Identifier: Apache-2.0
// The cases of providers by what they are about. They need no particular service: what a payload or an answer means is
// tested by each provider's own tests; here stands what holds for all of them. Threads: [any].
#pragma once

#include <span>

#include "conformance/runner/runner.h"

namespace belfry::kit {

std::span<const conformance::Case> token_cases();
std::span<const conformance::Case> content_cases();
std::span<const conformance::Case> answer_cases();
std::span<const conformance::Case> credential_cases();
std::span<const conformance::Case> encode_cases();

}  // namespace belfry::kit
