// SPDX-License-Identifier: Apache-2.0
// Whether two prepared components would make the same generation, without keeping their secrets to compare them.
// Threads: [any].
#pragma once

#include <string>
#include <vector>

#include "plugins/component.h"

namespace belfry::plugins {

// A SHA-256 of everything but the rate. `paths`: files and folders that the section names.
std::string fingerprint_of(const PreparedComponent& component, const std::vector<std::string>& paths);

}  // namespace belfry::plugins
