// SPDX-License-Identifier: Apache-2.0
// The cases of the storage specification, by what they are about. Names follow the list in docs: a number keeps its
// meaning.
#pragma once

#include <span>
#include <vector>

#include "conformance/runner/runner.h"

namespace belfry::conformance {

std::span<const Case> registration_cases();
std::span<const Case> change_cases();
std::span<const Case> list_cases();
std::span<const Case> scan_cases();
std::span<const Case> model_cases();
std::span<const Case> durability_cases();

std::vector<Case> all_storage_cases();

}  // namespace belfry::conformance
