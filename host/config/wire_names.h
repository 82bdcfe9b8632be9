// SPDX-License-Identifier: Apache-2.0
// What clients of an app call its providers. Threads: [any].
#pragma once

#include <string>
#include <vector>

#include "config/config.h"

namespace belfry::config {

struct WireName {
    std::string wire, instance;
    bool canonical = true;  // the name used in answers; others are only understood
};

// The app's own table, or by rule: an instance is called by its name; a plugin's name means its only instance.
// Misconfigured (where = the place): an unknown instance, one named twice, or a plugin's name that could mean several.
Result<std::vector<WireName>> wire_names(const Config& config, const AppConfig& app);

}  // namespace belfry::config
