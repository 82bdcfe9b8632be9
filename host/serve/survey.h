// SPDX-License-Identifier: Apache-2.0
// What can be said about plugins by reading their files only, for `belfry plugin list`. Threads: main's.
#pragma once

#include <vector>

#include "config/config.h"
#include "plugins/loader.h"

namespace belfry::serve {

// Everything in plugin_dirs, by name.
std::vector<plugins::PluginInfo> survey_plugins(const config::Config& config);

}  // namespace belfry::serve
