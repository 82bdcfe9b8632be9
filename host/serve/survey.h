// SPDX-License-Identifier: Apache-2.0
// What can be said about plugins without starting any: for `belfry plugin list`, which reads files only, and
// `belfry config check`. Threads: main's.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "plugins/loader.h"

namespace belfry::serve {

// Everything in plugin_dirs, by name.
std::vector<plugins::PluginInfo> survey_plugins(const config::Config& config);

// Checks the section of every configured instance with its plugin's schema, then by creating the instance, as the
// server would, in a process of its own; nothing is started, and data_dir is not touched. What is wrong, one line each.
std::vector<std::string> check_sections(const config::Config& config);

}  // namespace belfry::serve
